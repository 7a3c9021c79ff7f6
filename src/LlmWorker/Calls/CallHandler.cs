using System.Net;
using Polly.Timeout;

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
        : base(EndpointConnections.CreateHandler(deployment.Options, timeProvider))
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
        if (context.IsProbe)
            return await ProbeAsync(request, context, started, cancellationToken);
        var model = _deployment.Of(context.Model);
        var isSent = false;
        using var sending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.Progress.StopSending);
        try
        {
            context.Progress.Stage = CallStage.WaitingForQuota;
            using var waiting = Telemetry.Quota();
            var concurrency = _deployment.ConcurrencyOf(model);
            using var permit = concurrency is null ? null : await concurrency.AcquireAsync(1, sending.Token);
            (context.Permit, context.LargeSince) = (concurrency is LatencyLimiter ? permit : null, 0);
            var estimate = await EstimateAsync(request, context, model, cancellationToken);
            var waits = _time.GetTimestamp();
            using var lease = await _deployment.Models.AcquireAsync(model, estimate, sending.Token);
            waiting?.Dispose();
            Telemetry.Waited(_deployment, context.Model, _time.GetElapsedTime(waits));
            if (sending.IsCancellationRequested)
            {
                lease.GiveBack();
                sending.Token.ThrowIfCancellationRequested();
            }

            isSent = true;
            started = _time.GetUtcNow();
            return await SendWithinQuotaAsync(request, context, model, lease, started, cancellationToken);
        }
        catch (OperationCanceledException) when (!isSent && sending.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            context.IsUnsent = true;
            throw;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            context.Answers.Add(new HttpAnswer { Failure = e, Started = started });
            throw;
        }
        finally
        {
            context.ReadingTurn?.Dispose();
            context.ReadingTurn = null;
        }
    }

    private async Task<HttpResponseMessage> ProbeAsync(
        HttpRequestMessage request, CallContext context, DateTimeOffset started, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        await AnswerReader.LoadAsync(response, cancellationToken);
        context.Answers.Add(AnswerReader.Capture(response, _deployment.Provider, 0, started, _time.GetUtcNow()));
        return response;
    }

    private async Task<HttpResponseMessage> SendWithinQuotaAsync(
        HttpRequestMessage request, CallContext context, DeploymentModel model, QuotaLease lease, DateTimeOffset started,
        CancellationToken cancellationToken)
    {
        var since = context.Sent = _time.GetTimestamp();
        using var span = Telemetry.Call(_deployment, context.Model, request.RequestUri?.AbsolutePath);
        try
        {
            model.Circuit.Enter();
            var response = await SendThroughAsync(request, context, model.Circuit, cancellationToken);
            var answer = AnswerReader.Capture(response, _deployment.Provider, lease.Number, started, _time.GetUtcNow());
            if (answer.Check is { Code: CompletionCheck.TooLarge })
                answer = await WithEstimateAsync(answer, request, context, lease.Estimate, cancellationToken);
            var usage = answer.Parsed.Usage;
            Settle(lease, context, answer, usage);
            if ((context.EstimatesUsage || answer.Parsed.IsTotalOnly) && usage.Output == 0
                && Outcomes.Classify(answer).Kind == OutcomeKind.Completion
                && await CountAsync(request, context, answer, cancellationToken) is { } counted)
            {
                usage = counted;
                answer = answer with { Parsed = new AnswerBody(answer.Parsed.IsJsonObject, usage), IsUsageEstimated = true };
            }

            context.Answers.Add(answer);
            if (answer.Status is >= 200 and < 300)
                _deployment.Answered(model, answer.Limits, ServedIn(context, since));
            _deployment.Counters.Used(usage, context.Pay(usage));
            Telemetry.Called(_deployment, context.Model, request.RequestUri?.AbsolutePath, answer, _time.GetElapsedTime(since), span);
            return response;
        }
        catch (CircuitOpenException)
        {
            lease.GiveBack();
            throw;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Of a call that broke off later nobody knows what it has cost, and its estimate stands.
            if (ConnectionFailures.IsUnsent(e))
                lease.GiveBack();
            Telemetry.Called(_deployment, context.Model, request.RequestUri?.AbsolutePath, new HttpAnswer { Failure = e }, _time.GetElapsedTime(since), span);
            throw;
        }
    }

    // How long a large answer waits here is no slowness of the endpoint.
    private TimeSpan ServedIn(CallContext context, long since) =>
        context.LargeSince > 0 ? _time.GetElapsedTime(since, context.LargeSince) : _time.GetElapsedTime(since);

    // The circuit learns how the call ended, whichever way that is.
    private async Task<HttpResponseMessage> SendThroughAsync(
        HttpRequestMessage request, CallContext context, Circuit circuit, CancellationToken cancellationToken)
    {
        var isTold = false;
        try
        {
            var response = await SendInTimeAsync(request, context, cancellationToken);
            // With Retry-After it is busy, not down: the gate deals with that.
            if (response.StatusCode >= HttpStatusCode.InternalServerError && response.Headers.RetryAfter is null)
                circuit.Failed(context.Flow, context.JobId, $"HTTP {(int)response.StatusCode}");
            else if (response.Content is AnswerContent { IsDown: true })
                circuit.Failed(context.Flow, context.JobId, "errors in place of answers");
            else
                circuit.Answered(context.Flow);
            isTold = true;
            return response;
        }
        catch (Exception e) when (e is HttpRequestException
            or IOException
            or TimeoutRejectedException
            or OperationCanceledException { InnerException: TimeoutException })
        {
            if (!cancellationToken.IsCancellationRequested)
            {
                circuit.Failed(context.Flow, context.JobId, Outcomes.Classify(new HttpAnswer { Failure = e }).Message!);
                isTold = true;
            }

            throw;
        }
        finally
        {
            if (!isTold)
                circuit.Left();
        }
    }

    // What is charged:
    // OpenAI's guide "Rate limits" says that unsuccessful requests count against the requests a minute, so the request of every call that was sent is spent;
    // Azure's quota guide says that its token count is an estimate made when a call comes, and no measure of what it bills.
    // A 4xx was refused before a token was made, and what it reserved comes back. A 5xx, a cut body, a time-out may have cost its tokens: the reservation stands.
    private void Settle(QuotaLease lease, CallContext context, HttpAnswer answer, TokenUsage usage)
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

        return answer with
        {
            Parsed = new AnswerBody(false, new TokenUsage(estimate.Prompt, 0, Math.Max(estimate.Held, estimate.Expected))),
        };
    }

    private async Task<HttpResponseMessage> SendInTimeAsync(
        HttpRequestMessage request, CallContext context, CancellationToken cancellationToken)
    {
        using var timer = context.Timer = new AttemptTimer(context.AttemptTimeout, _time, cancellationToken);
        try
        {
            return await SendWholeAsync(request, timer.Token);
        }
        catch (OperationCanceledException e) when (timer.HasEnded && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutRejectedException("The call took longer than its time-out.", context.AttemptTimeout, e);
        }
        finally
        {
            context.Timer = null;
        }
    }

    private async ValueTask<HttpResponseMessage> SendWholeAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var context = CallContext.Current;
        var before = _deployment.CallStarts();
        context.Progress.Stage = CallStage.Sent;
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
            context.Progress.Stage = CallStage.Ended;
            context.HadCompany = _deployment.CallEnds(before);
        }
    }

    private void Prepare(HttpRequestMessage request, CallContext context)
    {
        if (!context.IsProbe)
            request.Headers.TryAddWithoutValidation(JobIdHeader, context.JobId);
        // Where the endpoint has https and knows it, else HTTP/1.1. Thousands of calls then need no connection, handshake and buffers each.
        request.Version = HttpVersion.Version20;
        _deployment.Provider.Prepare(request);
    }

    private async ValueTask<TokenEstimate> EstimateAsync(
        HttpRequestMessage request, CallContext context, DeploymentModel model, CancellationToken cancellationToken) =>
        _deployment.Models.CountsTokens(model) && request.Content is { } content
            ? _estimator.Estimate(
                context.Model, _deployment.ProviderModel(context.Model), await content.ReadAsByteArrayAsync(cancellationToken),
                _deployment.Options.Charges, request.RequestUri?.AbsolutePath)
            : default;

    // The quota is not told: of what an answer without usage took of it, the reservation stands. Null where the provider told enough: embeddings have no completion, and
    // a completion whose tokens are reported as none or fewer holds text. A total alone is right, and what of it is output is counted.
    private async ValueTask<TokenUsage?> CountAsync(
        HttpRequestMessage request, CallContext context, HttpAnswer answer, CancellationToken cancellationToken)
    {
        var told = answer.Parsed.Usage;
        var model = _deployment.ProviderModel(context.Model);
        var output = AnswerTokens.Count(model, answer.Body.Span);
        if (answer.Parsed.IsTotalOnly)
            return output > 0 ? told.Split(output) : null;
        if (told.Total > 0)
            return output > 0 ? told with { Output = output } : null;
        var body = request.Content is { } content ? await content.ReadAsByteArrayAsync(cancellationToken) : [];
        return new TokenUsage(_estimator.Estimate(context.Model, model, body, path: request.RequestUri?.AbsolutePath).Prompt, 0, output);
    }
}
