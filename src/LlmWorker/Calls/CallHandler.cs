using System.Net;
using System.Threading.RateLimiting;
using Polly.CircuitBreaker;

namespace LlmPipeline;

/// <summary>
/// Below the SDKs of both lanes, for each HTTP call: a free slot, quota, circuit breaker, attempt timeout, call. It reads the whole answer, as
/// received, into the <see cref="CallContext"/>, where the classification finds it whatever an SDK makes of it.
/// </summary>
internal sealed class CallHandler : DelegatingHandler
{
    public const string JobIdHeader = "x-llmpipeline-job-id";

    private readonly Deployment _deployment;
    private readonly TokenEstimator _estimator;
    private readonly TimeProvider _time;

    public CallHandler(Deployment deployment, TokenEstimator estimator, TimeProvider timeProvider)
        : base(EndpointConnections.CreateHandler(deployment.Endpoint))
    {
        _deployment = deployment;
        _estimator = estimator;
        _time = timeProvider;
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var context = CallContext.Current;
        Prepare(request, context);
        var started = _time.GetUtcNow();
        try
        {
            using var waiting = Telemetry.Quota();
            using var slot = _deployment.Concurrency is { } concurrency ? await concurrency.AcquireAsync(1, cancellationToken) : null;
            var estimate = await EstimateAsync(request, context, cancellationToken);
            var waits = _time.GetTimestamp();
            using var lease = await _deployment.Quota.AcquireAsync(estimate, cancellationToken);
            waiting?.Dispose();
            Telemetry.Waited(_deployment, context.Model, _time.GetElapsedTime(waits));
            if (!lease.IsAcquired)
                throw new QuotaClosedException(lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.Zero);
            started = _time.GetUtcNow();
            return await SendWithinQuotaAsync(request, context, lease, started, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            context.Answers.Add(new HttpAnswer { Failure = e, Started = started });
            throw;
        }
    }

    private async Task<HttpResponseMessage> SendWithinQuotaAsync(
        HttpRequestMessage request, CallContext context, RequestTokenLease lease, DateTimeOffset started, CancellationToken cancellationToken)
    {
        var since = _time.GetTimestamp();
        using var span = Telemetry.Call(_deployment, context.Model, request.RequestUri?.AbsolutePath);
        try
        {
            var response = await _deployment.Circuit.ExecuteAsync(
                static (call, token) => call.Handler.SendWholeAsync(call.Request, token), (Handler: this, Request: request), cancellationToken);
            var answer = AnswerReader.Capture(response, _deployment.Provider, lease.Number, started, _time.GetUtcNow());
            if (answer.Check is { Code: CompletionCheck.TooLarge })
                answer = await WithEstimateAsync(answer, request, context, lease.Estimate, cancellationToken);
            context.Answers.Add(answer);
            var usage = answer.Parsed.Usage;
            Settle(lease, context, answer, usage);
            if (answer.Status is >= 200 and < 300)
                _deployment.Answered(answer.Limits, _time.GetElapsedTime(since));
            _deployment.Counters.Used(usage, context.Pay(usage));
            Telemetry.Called(_deployment, context.Model, request.RequestUri?.AbsolutePath, answer, _time.GetElapsedTime(since), span);
            return response;
        }
        catch (BrokenCircuitException)
        {
            lease.GiveBack();
            throw;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Of a call that broke off later nobody knows what it has cost, and its estimate stands.
            if (e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError }
                or OperationCanceledException { InnerException: TimeoutException })
                lease.GiveBack();
            Telemetry.Called(_deployment, context.Model, request.RequestUri?.AbsolutePath, new HttpAnswer { Failure = e }, _time.GetElapsedTime(since), span);
            throw;
        }
    }

    // What is charged:
    // OpenAI's guide "Rate limits" says that unsuccessful requests count against the requests a minute, so the request of every call that was sent is spent;
    // Azure's quota guide says that its token count is an estimate made when a call comes, and no measure of what it bills.
    // A 4xx was refused before a token was made, and what it reserved comes back. A 5xx, a cut body, a time-out may have cost its tokens: the reservation stands.
    private void Settle(RequestTokenLease lease, CallContext context, HttpAnswer answer, TokenUsage usage)
    {
        if (answer.Status is >= 400 and < 500)
        {
            lease.Settle(0);
        }
        else if (usage.Total > 0)
        {
            // A prompt counted wrongly is set right also where what was held for the completion is never corrected.
            lease.Settle(_deployment.Options.Charges == TokenCharge.Reserved ? usage.Input + lease.Estimate.Held : usage.Total);
            if (lease.Estimate.Prompt > 0)
                Telemetry.Estimated(_deployment, context.Model, lease.Estimate.Pace, usage.Total);
        }
        if (usage.Output > 0)
            _estimator.Learn(context.Model, usage.Output);
    }

    // Its usage is at an end that was not read, and it was made and is billed all the same.
    private async ValueTask<HttpAnswer> WithEstimateAsync(
        HttpAnswer answer, HttpRequestMessage request, CallContext context, TokenEstimate estimate, CancellationToken cancellationToken)
    {
        if (estimate.Prompt == 0 && request.Content is { } content)
        {
            var body = await content.ReadAsByteArrayAsync(cancellationToken);
            estimate = _estimator.Estimate(context.Model, _deployment.ProviderModel(context.Model), body, _deployment.Options.Charges);
        }

        return answer with { Parsed = new AnswerBody(false, new TokenUsage(estimate.Prompt, 0, Math.Max(estimate.Held, estimate.Expected))) };
    }

    private async ValueTask<HttpResponseMessage> SendWholeAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        _deployment.CallStarts();
        HttpResponseMessage? response = null;
        try
        {
            response = await base.SendAsync(request, cancellationToken);
            await AnswerReader.LoadAsync(response, cancellationToken);
            return response;
        }
        catch
        {
            response?.Dispose();
            throw;
        }
        finally
        {
            _deployment.CallEnds();
        }
    }

    private void Prepare(HttpRequestMessage request, CallContext context)
    {
        request.Headers.TryAddWithoutValidation(JobIdHeader, context.JobId);
        // Where the endpoint has https and knows it, else HTTP/1.1. Thousands of calls then need no connection, handshake and buffers each.
        request.Version = HttpVersion.Version20;
        _deployment.Provider.Prepare(request);
    }

    private async ValueTask<TokenEstimate> EstimateAsync(HttpRequestMessage request, CallContext context, CancellationToken cancellationToken) =>
        _deployment.Quota.CountsTokens && request.Content is { } content
            ? _estimator.Estimate(
                context.Model, _deployment.ProviderModel(context.Model), await content.ReadAsByteArrayAsync(cancellationToken), _deployment.Options.Charges)
            : default;
}
