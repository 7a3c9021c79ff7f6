using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>One endpoint at work: its client, quota, circuit, and whether it is closed by its own fault.</summary>
internal sealed partial class Deployment : IAsyncDisposable
{
    private static readonly TimeSpan RoomHorizon = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstThrottle = TimeSpan.FromSeconds(0.25);

    // At once, to an endpoint of which nothing is known yet.
    private const int FirstCalls = 16;

    // Of which it is remembered what they refuse: names come from callers.
    private const int MostModels = 1000;

    private readonly ConcurrentDictionary<string, string> _closedModels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _withoutStreamOptions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, IChatCompletionService> _chats = new(StringComparer.Ordinal);
    private readonly RateLimiter? _permits;
    private readonly LatencyLimiter _adaptive;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action _onRoom;
    private string? _closed;
    private string? _lastFailure;
    private int _throttlesInARow;
    private int _inFlight;
    private long _retries;
    private long _throttled;

    /// <param name="options">Checked ones.</param>
    /// <param name="fleet">The Redis where a fleet shares its quota; null for a quota of this process alone.</param>
    /// <param name="patience">How long a call waits at a closed gate.</param>
    /// <param name="estimator">Estimates what a request costs.</param>
    /// <param name="onRoom">Called when there may be room again.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="logger">Where it says what it does.</param>
    public Deployment(DeploymentOptions options, Func<RedisConnections>? fleet, TimeSpan patience, TokenEstimator estimator, Action onRoom, TimeProvider timeProvider, ILogger logger)
    {
        Options = options;
        Endpoint = new Uri(options.Endpoint.TrimEnd('/'));
        EndpointName = Endpoint.GetLeftPart(UriPartial.Authority);
        _onRoom = onRoom;
        _time = timeProvider;
        _logger = logger;
        Quota = new RequestTokenLimiter(
            fleet is null ? new MemoryLedger(timeProvider) : new RedisLedger(fleet, options.Name),
            new QuotaAmount(options.RequestsPerMinute ?? 0, options.TokensPerMinute ?? 0), patience, timeProvider, logger);
        Quota.Changed += onRoom;
        _permits = options.Concurrency switch
        {
            null => null,
            { } permits when fleet is not null => new FleetPermits(fleet, options.Name, permits, onRoom, timeProvider, logger),
            { } permits => new ConcurrencyLimiter(new() { PermitLimit = permits, QueueLimit = int.MaxValue }),
        };
        _adaptive = new LatencyLimiter(FirstCalls, int.MaxValue, timeProvider);
        Circuit = new Circuit(options.Name, timeProvider, logger);
        Counters = new DeploymentCounters(timeProvider);
        _http = new HttpClient(new CallHandler(this, estimator, timeProvider)) { Timeout = Timeout.InfiniteTimeSpan };
        Provider = Provider.Create(options, _http);
    }

    public DeploymentOptions Options { get; }

    public string Name => Options.Name;

    public Uri Endpoint { get; }

    /// <summary>scheme://host[:port].</summary>
    public string EndpointName { get; }

    public RequestTokenLimiter Quota { get; }

    /// <summary>What limits the calls at once: the settings; without them and without a quota, the server's own slowness; else nothing.</summary>
    public RateLimiter? Concurrency => _permits ?? (Quota.Limits.IsNone ? _adaptive : null);

    public Circuit Circuit { get; }

    public DeploymentCounters Counters { get; }

    /// <summary>The protocol that it speaks.</summary>
    public Provider Provider { get; }

    /// <summary>How long the gate or the circuit keeps calls away; zero when neither does.</summary>
    public TimeSpan ShutFor => Quota.ClosedFor is var gate && Circuit.OpenFor is var circuit && gate > circuit ? gate : circuit;

    /// <summary>What the provider calls this model.</summary>
    public string ProviderModel(string model) => string.IsNullOrEmpty(Options.As) ? model : Options.As;

    /// <summary>Semantic Kernel's chat service for this model.</summary>
    public IChatCompletionService Chat(string model) => _chats.GetOrAdd(ProviderModel(model), Provider.CreateChat);

    /// <summary>Whether calls of a model are refused for the usage that is asked for with a stream.</summary>
    /// <param name="model">What the provider calls it.</param>
    public bool RefusesStreamOptions(string model) => _withoutStreamOptions.ContainsKey(model);

    /// <summary>A call of the model was.</summary>
    public void StreamOptionsRefused(string model)
    {
        if (_withoutStreamOptions.Count < MostModels)
            _withoutStreamOptions.TryAdd(model, true);
    }

    /// <summary>About how many more calls it will take within the next second.</summary>
    public int Room(string model)
    {
        if (ClosedReason(model) is not null || Circuit.OpenFor > TimeSpan.Zero)
            return 0;
        var room = Quota.Room(RoomHorizon);
        if (Concurrency is { } concurrency && concurrency.GetStatistics() is { } slots)
            room = (int)Math.Min(room, slots.CurrentAvailablePermits - slots.CurrentQueuedCount);
        return Circuit.IsClosed ? Math.Max(0, room) : Math.Clamp(room, 0, 1);
    }

    /// <summary>How long until there may be room, as far as time alone makes it.</summary>
    public TimeSpan UntilRoom => Quota.UntilRoom(RoomHorizon) is var quota && Circuit.OpenFor is var circuit && quota > circuit ? quota : circuit;

    public string? ClosedReason(string model) => Volatile.Read(ref _closed) ?? _closedModels.GetValueOrDefault(model);

    /// <summary>No call of any model will succeed: it stays closed until restart.</summary>
    public void Close(string reason)
    {
        if (Interlocked.CompareExchange(ref _closed, WithoutKey(reason), null) is null)
            LogClosed(Name, _closed!);
        _onRoom();
    }

    /// <summary>The same for one model that it does not have.</summary>
    public void Close(string model, string reason)
    {
        if (_closedModels.TryAdd(model, WithoutKey(reason)))
            LogModelClosed(Name, model, WithoutKey(reason));
        _onRoom();
    }

    /// <summary>The provider asked to wait. Without a time from it, the wait grows with each refusal that follows a wait.</summary>
    public void Throttle(string model, HttpAnswer answer, TimeSpan? notBefore)
    {
        Interlocked.Increment(ref _throttled);
        Telemetry.Throttle(this, model);
        // Calls that were under way when the gate closed tell nothing new.
        if (Quota.ClosedFor == TimeSpan.Zero)
            Interlocked.Increment(ref _throttlesInARow);
        else if (notBefore is null)
            return;
        var wait = notBefore ?? FirstThrottle * Math.Pow(2, Math.Clamp(Volatile.Read(ref _throttlesInARow) - 1, 0, 6));
        if (!Quota.Refuse(answer.Number, answer.Limits, wait))
            return;
        _adaptive.Failed();
        LogThrottled(Name, wait);
    }

    /// <summary>A call was answered well.</summary>
    public void Answered(RateLimitHeaders headers, TimeSpan duration)
    {
        Quota.Hear(headers);
        _adaptive.Took(duration);
    }

    public void CountRetry(string model)
    {
        Interlocked.Increment(ref _retries);
        Telemetry.Retry(this, model);
    }

    public void Succeeded()
    {
        Volatile.Write(ref _throttlesInARow, 0);
        Volatile.Write(ref _lastFailure, null);
    }

    public void Failed(string? failure) => Volatile.Write(ref _lastFailure, failure);

    public void CallStarts()
    {
        Interlocked.Increment(ref _inFlight);
        Counters.Sent();
    }

    public void CallEnds()
    {
        Interlocked.Decrement(ref _inFlight);
        _onRoom();
    }

    public DeploymentStatus Status()
    {
        var now = _time.GetUtcNow();
        var (total, minute, limits) = (Counters.Total, Counters.LastMinute, Quota.Limits);
        return new DeploymentStatus
        {
            Name = Name,
            Model = Options.ServesAll ? "*" : Options.Model!,
            Endpoint = EndpointName,
            InFlight = Volatile.Read(ref _inFlight),
            Calls = total.Calls,
            Retries = Interlocked.Read(ref _retries),
            Throttled = Interlocked.Read(ref _throttled),
            InputTokens = total.Input,
            OutputTokens = total.Output,
            SpentNanos = Counters.Nanos,
            CallsLastMinute = minute.Calls,
            InputTokensLastMinute = minute.Input,
            OutputTokensLastMinute = minute.Output,
            RequestsPerMinute = limits.Requests > 0 ? (int)limits.Requests : null,
            TokensPerMinute = limits.Tokens > 0 ? (int)limits.Tokens : null,
            Concurrency = Options.Concurrency,
            GateClosedUntil = Quota.ClosedFor is var gate && gate > TimeSpan.Zero ? now + gate : null,
            CircuitOpenUntil = Circuit.OpenFor is var circuit && circuit > TimeSpan.Zero ? now + circuit : null,
            LastFailure = Volatile.Read(ref _lastFailure),
            ClosedReason = Volatile.Read(ref _closed) ?? (_closedModels.IsEmpty ? null : string.Join("; ", _closedModels.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Key}: {m.Value}"))),
        };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Quota.DisposeAsync();
        await _adaptive.DisposeAsync();
        if (_permits is not null)
            await _permits.DisposeAsync();
    }

    private string WithoutKey(string reason) =>
        Options.ApiKey is { Length: > 0 } key ? reason.Replace(key, "***", StringComparison.Ordinal) : reason;

    [LoggerMessage(LogLevel.Error, "Deployment {Deployment} is closed until restart: {Reason}")]
    private partial void LogClosed(string deployment, string reason);

    [LoggerMessage(LogLevel.Error, "Deployment {Deployment} is closed for model {Model} until restart: {Reason}")]
    private partial void LogModelClosed(string deployment, string model, string reason);

    [LoggerMessage(LogLevel.Information, "Deployment {Deployment} asked to wait {Wait}")]
    private partial void LogThrottled(string deployment, TimeSpan wait);
}
