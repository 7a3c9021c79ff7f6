using System.Globalization;
using System.IO.Hashing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace LlmPipeline;

/// <summary>Takes one call from its bytes to its answer.</summary>
internal sealed class CallHandler(SimulatorOptions options, TimeProvider time, CallCounters counters, RateWindows windows, RequestLog? log, JsonBody json, CancellationToken stopping)
{
    /// <summary>The header in which a worker says which job a call is for.</summary>
    public const string JobHeader = "x-llmpipeline-job-id";

    /// <summary>The header by which a caller asks for a fault.</summary>
    public const string FaultHeader = "x-sim-fault";

    private const string JsonType = "application/json";

    // An event is one line, whatever bodies look like.
    private static readonly JsonBody EventJson = new(pretty: false);

    private readonly FaultDraw _faults = new(options);
    private readonly DialectDraw? _dialects = options.Dialects.Count > 0 ? new(options, time) : null;
    private readonly DialectPlayer _player = new(time, stopping);
    private readonly HashSet<string>? _models = options.Models?.ToHashSet(StringComparer.Ordinal);
    private readonly Task<TokenMeter> _meter = TokenMeter.LoadAsync(options.CountTokens);
    private long _calls;

    /// <summary>Handles a call.</summary>
    public async Task HandleAsync(HttpContext context, CallRoute route)
    {
        var id = DrawSequence.Mix((ulong)options.Seed, (ulong)Interlocked.Increment(ref _calls));
        var jobId = context.Request.Headers[JobHeader] is { Count: > 0 } header ? header.ToString() : null;
        var exchange = new CallExchange(context, counters, windows, jobId, "req_sim" + id.ToString("x16", CultureInfo.InvariantCulture));
        try
        {
            await AnswerAsync(context, route, exchange, id, jobId);
        }
        catch (BadHttpRequestException e) when (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
        {
            await RefuseAsync(exchange, route, new(e.StatusCode, e.Message));
        }
        catch (Exception e) when (e is ConnectionResetException || context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone, and with it everybody who could be told.
            exchange.End(abandoned: true);
            context.Abort();
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await RefuseAsync(exchange, route, new(500, $"The simulator itself failed: {e.Message}", null, "simulator_failed", "server_error"));
        }
        finally
        {
            exchange.End(abandoned: true);
        }
    }

    private async Task AnswerAsync(HttpContext context, CallRoute route, CallExchange exchange, ulong id, string? jobId)
    {
        var body = await RequestBody.ReadAsync(context.Request, context.RequestAborted);
        log?.Add(context.Request, jobId, body);
        var meter = await _meter;
        var (request, problem) = CallRequestReader.Read(route.Kind, body, meter);
        var model = route.Deployment ?? request.Model;
        var hasKey = HasKey(context.Request, route.Azure);
        if (_dialects?.Next(Played(route, request, body, model, hasKey)) is var (dialect, nth))
        {
            counters.Played(dialect.Name);
            if (!dialect.Answer.IsOwn)
            {
                if (options.Latency > TimeSpan.Zero)
                    await Task.Delay(options.Latency, time, context.RequestAborted);
                await _player.PlayAsync(context, exchange, dialect, nth, model);
                return;
            }
            _player.Dress(context, exchange, dialect.Answer, model);
        }
        if (!hasKey)
        {
            await RefuseAsync(exchange, route, ErrorBody.WrongKey(route.Azure));
            return;
        }
        problem = Always(model, route.Azure) ?? Misrouted(context, route) ?? problem ?? UnknownModel(model, route.Azure);
        var asked = AskedFault(context.Request.Headers[FaultHeader], ref problem);
        if (problem is not null)
        {
            await RefuseAsync(exchange, route, problem);
            return;
        }
        var admission = windows.Admit(request.Reserve(route.Kind));
        if (admission.Refused is { } refused)
        {
            exchange.RetryAfter(admission.RetryAfter);
            await SendErrorAsync(exchange, route, ErrorBody.Limited(refused, admission.RetryAfter, model, route.Azure));
            return;
        }
        var hash = XxHash3.HashToUInt64(body, options.Seed);
        var (fault, latency) = _faults.Next(hash, asked);
        if (fault != FaultKind.None)
            counters.Faulted(fault);
        if (fault == FaultKind.Hang)
        {
            await exchange.HangAsync(stopping);
            return;
        }
        Answer answer;
        try
        {
            answer = Answer.To(route.Kind, request, request.Model ?? model!, hash, id, time.GetUtcNow().ToUnixTimeSeconds(), options, meter);
        }
        catch (InvalidOperationException)
        {
            // A keyword whose value is of another type than it must be.
            await RefuseAsync(exchange, route, new(400, "Invalid schema: a keyword has a value of the wrong type.", "response_format", "invalid_json_schema"));
            return;
        }
        // An error costs the time of a call, but no tokens are made.
        var tokens = fault is FaultKind.None or FaultKind.Slow or FaultKind.Cut ? answer.CompletionTokens : 0;
        if (LatencyDraw.Of(options, latency, answer.Request.Stream ? 0 : tokens) is var delay && delay > TimeSpan.Zero)
            await Task.Delay(delay, time, context.RequestAborted);
        await AnswerAsync(exchange, route, answer, fault, admission.Reservation);
    }

    private async Task AnswerAsync(CallExchange exchange, CallRoute route, Answer answer, FaultKind fault, Reservation? reservation)
    {
        var usage = new SentUsage(answer.Request.PromptTokens, answer.CompletionTokens);
        if (fault is FaultKind.None or FaultKind.Slow && reservation is not null && options.CorrectToUsage)
            windows.Correct(reservation, usage.Input + usage.Output);
        switch (fault)
        {
            case FaultKind.None or FaultKind.Slow or FaultKind.Cut when answer.Request.Stream:
                var events = AnswerEvents.Of(answer, EventJson);
                await exchange.StreamAsync(fault == FaultKind.Cut ? events[..(events.Count / 2)] : events, options.LatencyPerToken, fault == FaultKind.Cut ? null : usage, time);
                break;
            case FaultKind.None:
                await exchange.SendAsync(200, JsonType, Body(), usage);
                break;
            case FaultKind.Slow:
                await exchange.DripAsync(200, JsonType, Body(), usage, time);
                break;
            case FaultKind.Cut:
                await exchange.CutAsync(200, JsonType, Body());
                break;
            case FaultKind.Reset:
                exchange.Reset();
                break;
            case FaultKind.NotJson:
                await exchange.SendAsync(200, "text/html", "<html><body><h1>Bad gateway</h1>Something in between answered.</body></html>"u8.ToArray());
                break;
            case FaultKind.QuotaExhausted:
                await SendErrorAsync(exchange, route, ErrorBody.QuotaExhausted);
                break;
            case FaultKind.ContentFilter:
                await SendErrorAsync(exchange, route, ErrorBody.ContentFilter);
                break;
            default:
                var status = fault switch { FaultKind.TooManyRequests => 429, FaultKind.Unavailable => 503, _ => 500 };
                await RefuseAsync(exchange, route, ErrorBody.OfStatus(status, answer.Model, route.Azure));
                break;
        }

        ReadOnlyMemory<byte> Body() => json.Compose(answer, Answer.Write);
    }

    /// <summary>The dialect that a prompt draws, by the hash of its text; null for none.</summary>
    public string? DialectOf(string promptHash) => _dialects?.Of(PromptOf(promptHash))?.Name;

    /// <summary>Answers <c>GET /v1/models</c> as the dialects say; false when they leave it to the simulator.</summary>
    public async Task<bool> TryPlayModelsAsync(HttpContext context)
    {
        if (_dialects?.ForModels(options.ApiKey is not null && HasKey(context.Request, azure: false)) is not { } row)
            return false;
        if (row.Models == PlayedModels.Same)
            await _player.PlayAsync(context, row);
        else
            context.Response.StatusCode = row.Models == PlayedModels.Missing ? 404 : 500;
        return true;
    }

    /// <summary>Whether a request brings the key.</summary>
    public bool HasKey(HttpRequest request) => HasKey(request, azure: false);

    private PlayedCall Played(CallRoute route, CallRequest request, byte[] body, string? model, bool hasKey) => new(
        route.Kind,
        request.Stream,
        options.ApiKey is not null && hasKey,
        _models is not null && model is not null && _models.Contains(model),
        // Of the prompt, because the other fields may change from one attempt to the next.
        request.PromptHash.Length > 0 ? PromptOf(request.PromptHash) : XxHash3.HashToUInt64(body),
        body);

    private static ulong PromptOf(string promptHash) => XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(promptHash));

    private bool HasKey(HttpRequest request, bool azure)
    {
        if (options.ApiKey is not { } key)
            return true;
        // Azure's identities come as a bearer too.
        return (azure && request.Headers["api-key"] == key) || request.Headers.Authorization == "Bearer " + key;
    }

    private CallProblem? Always(string? model, bool azure) => options.AlwaysStatus is { } status ? ErrorBody.OfStatus(status, model, azure) : null;

    private static CallProblem? Misrouted(HttpContext context, CallRoute route) =>
        route.Azure && !context.Request.Query.ContainsKey("api-version") ? new(404, "Resource not found") : null;

    private CallProblem? UnknownModel(string? model, bool azure)
    {
        if (string.IsNullOrEmpty(model))
            return new(400, "you must provide a model parameter");
        return _models is null || _models.Contains(model) ? null : ErrorBody.UnknownModel(model, azure);
    }

    private static FaultKind? AskedFault(StringValues header, ref CallProblem? problem)
    {
        if (header.Count == 0)
            return null;
        if (FaultNames.TryParse(header.ToString(), out var kind))
            return kind;
        problem ??= new(400, $"Unknown fault in the header {FaultHeader}. Known are: {string.Join(", ", FaultNames.All)}.");
        return null;
    }

    /// <summary>An error, with the wait that some statuses bring.</summary>
    private Task RefuseAsync(CallExchange exchange, CallRoute route, CallProblem problem)
    {
        if (problem.Status is 429 or 503)
            exchange.RetryAfter(options.RetryAfter);
        return SendErrorAsync(exchange, route, problem);
    }

    private Task SendErrorAsync(CallExchange exchange, CallRoute route, CallProblem problem) =>
        exchange.SendAsync(problem.Status, JsonType, json.Compose((problem, route.Azure), ErrorBody.Write));
}
