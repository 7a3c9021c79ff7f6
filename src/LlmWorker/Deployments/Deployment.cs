using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>One endpoint at work: its provider, the limits and circuits of its models, and which parts of it are unavailable.</summary>
internal sealed class Deployment : IAsyncDisposable
{
    private static readonly TimeSpan RoomHorizon = TimeSpan.FromSeconds(1);

    // At once, to an endpoint of which nothing is known yet.
    private const int FirstCalls = 16;

    private readonly ConcurrentDictionary<string, IChatCompletionService> _chats = new(StringComparer.Ordinal);
    private readonly RateLimiter? _permits;
    private readonly LatencyLimiter _adaptive;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private volatile KeyMask _keys;
    private readonly Action _onRoom;
    private string? _lastFailure;
    private string? _recentFailure;
    private int _inFlight;
    private long _sent;
    private long _retries;
    private long _throttled;

    /// <param name="options">Checked ones.</param>
    /// <param name="fleet">The Redis where a fleet shares its quota; null for a quota of this process alone.</param>
    /// <param name="llm">How calls are made; its deployments are not looked at.</param>
    /// <param name="estimator">Estimates what a request costs.</param>
    /// <param name="onRoom">Called when there may be room again.</param>
    /// <param name="onAvailability">Called when a part becomes unavailable or available again.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="logger">Where it says what it does.</param>
    public Deployment(
        DeploymentOptions options, Func<RedisConnections>? fleet, LlmOptions llm, TokenEstimator estimator, Action onRoom,
        Action onAvailability, TimeProvider timeProvider, ILogger logger)
    {
        Options = options;
        var key = new ProviderKey(options);
        _keys = Mask([key.Current]);
        key.Changed += keys => _keys = Mask(keys);
        Endpoint = new Uri(options.Endpoint.TrimEnd('/'));
        EndpointName = Endpoint.GetLeftPart(UriPartial.Authority);
        _onRoom = onRoom;
        _time = timeProvider;
        Models = new DeploymentModels(options, fleet, llm, onRoom, timeProvider, logger);
        Availability = new Availability(options.Name, timeProvider, logger, () =>
        {
            onRoom();
            onAvailability();
        });
        _permits = options.Concurrency switch
        {
            null => null,
            { } permits when fleet is not null => new FleetPermits(
                fleet, QuotaAccount.Of(options, options.ServesAll ? null : ProviderModel(options.Model!)).Name, permits, onRoom, timeProvider, logger, llm.QuotaPrefix),
            { } permits => new ConcurrencyLimiter(new() { PermitLimit = permits, QueueLimit = int.MaxValue }),
        };
        _adaptive = new LatencyLimiter(FirstCalls, int.MaxValue, timeProvider);
        Counters = new DeploymentCounters(timeProvider);
        _http = new HttpClient(new CallHandler(this, estimator, timeProvider)) { Timeout = Timeout.InfiniteTimeSpan };
        Provider = Provider.Create(options, key, _http);
        Key = new KeyProbe(Provider, _http, key.Current is { Length: > 0 }, timeProvider);

        KeyMask Mask(IEnumerable<string?> keys) => new([.. keys, .. options.Headers.Values, .. options.Query.Values]);
    }

    public DeploymentOptions Options { get; }

    public string Name => Options.Name;

    public Uri Endpoint { get; }

    /// <summary>scheme://host[:port].</summary>
    public string EndpointName { get; }

    /// <summary>The protocol that it speaks.</summary>
    public Provider Provider { get; }

    /// <summary>Its models, each with limits and a circuit of its own.</summary>
    public DeploymentModels Models { get; }

    /// <summary>Which parts of it are unavailable.</summary>
    public Availability Availability { get; }

    /// <summary>What refusals have shown.</summary>
    public FaultEvidence Evidence { get; } = new();

    /// <summary>Checks its key.</summary>
    public KeyProbe Key { get; }

    public DeploymentCounters Counters { get; }

    /// <summary>Calls on their way now.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Timestamp of the last success of any model; 0 for none.</summary>
    public long LastSuccess { get; private set; }

    /// <summary>What the provider calls this model.</summary>
    public string ProviderModel(string model) => string.IsNullOrEmpty(Options.As) ? model : Options.As;

    /// <summary>The state of this model.</summary>
    public DeploymentModel Of(string model) => Models.Of(ProviderModel(model));

    /// <summary>
    /// What limits the calls at once: the settings; without them and without a quota, the server's own slowness; else nothing.
    /// </summary>
    public RateLimiter? ConcurrencyOf(DeploymentModel model) => _permits ?? (model.Quota.Limits.IsNone ? _adaptive : null);

    /// <summary>Semantic Kernel's chat service for this model.</summary>
    public IChatCompletionService Chat(string model) => _chats.GetOrAdd(ProviderModel(model), Provider.CreateChat);

    /// <summary>What requests hold that its models refuse.</summary>
    public RefusedFields Refused { get; } = new();

    /// <summary>About how many more calls it will take within the next second.</summary>
    public int Room(string model)
    {
        var one = Of(model);
        if (one.Circuit.OpenFor > TimeSpan.Zero)
            return 0;
        var room = Models.Room(one, RoomHorizon);
        if (ConcurrencyOf(one) is { } concurrency && concurrency.GetStatistics() is { } slots)
            room = (int)Math.Min(room, slots.CurrentAvailablePermits - slots.CurrentQueuedCount);
        if (Availability.Find(model) is { } outage)
            return Availability.UntilLook(outage) > TimeSpan.Zero ? 0 : Math.Clamp(room, 0, 1);
        return one.Circuit.IsClosed ? Math.Max(0, room) : Math.Clamp(room, 0, 1);
    }

    /// <summary>How long until there may be room, as far as time alone makes it.</summary>
    public TimeSpan UntilRoom(string model)
    {
        var one = Of(model);
        var wait = Models.UntilRoom(one, RoomHorizon);
        if (one.Circuit.OpenFor is var circuit && circuit > wait)
            wait = circuit;
        return Availability.Find(model) is { } outage && Availability.UntilLook(outage) is var look && look > wait ? look : wait;
    }

    /// <summary>Makes a part of it unavailable.</summary>
    public void Close(FaultScope scope, Classified found, string flow, bool isConfirmed = false) =>
        Availability.Close(scope, found.Code!, found.Sentence ?? found.Message!, found.Message!, flow, isConfirmed);

    /// <summary>The provider asked to wait.</summary>
    public void Throttle(string model, HttpAnswer answer, TimeSpan? notBefore, string? reason)
    {
        Interlocked.Increment(ref _throttled);
        Telemetry.Throttle(this, model);
        if (Of(model).Throttle(answer, notBefore, reason))
            _adaptive.Failed();
    }

    /// <summary>A call was answered well.</summary>
    public void Answered(DeploymentModel model, RateLimitHeaders headers, TimeSpan duration)
    {
        model.Quota.Hear(headers);
        _adaptive.Took(duration);
    }

    public void CountRetry(string model)
    {
        Interlocked.Increment(ref _retries);
        Telemetry.Retry(this, model);
    }

    /// <summary>A call brought what was asked for.</summary>
    public void Succeeded(string model, string? path, string flow)
    {
        LastSuccess = _time.GetTimestamp();
        Of(model).Succeeded();
        Evidence.Succeeded(model, path, flow);
        Availability.Reopen(model, path, flow);
        Volatile.Write(ref _lastFailure, null);
    }

    /// <summary>A call failed.</summary>
    /// <param name="failure">How, in one line without keys.</param>
    /// <param name="code">The error's code.</param>
    public void Failed(string failure, string code)
    {
        Volatile.Write(ref _lastFailure, failure);
        // A code such as http_503, or one of this program, says nothing that the sentence does not.
        var hasCode = failure.StartsWith("HTTP ", StringComparison.Ordinal) && !code.StartsWith("http_", StringComparison.Ordinal)
            && !failure.Contains(code, StringComparison.OrdinalIgnoreCase);
        Volatile.Write(ref _recentFailure, hasCode ? $"{failure}, {code}" : failure);
    }

    /// <summary>A call is sent.</summary>
    /// <returns>What <see cref="CallEnds"/> is to be given.</returns>
    public (int InFlight, long Calls) CallStarts()
    {
        Counters.Sent();
        return (Interlocked.Increment(ref _inFlight), Interlocked.Increment(ref _sent));
    }

    /// <summary>A call has ended.</summary>
    /// <returns>Whether others were under way with it.</returns>
    public bool CallEnds((int InFlight, long Calls) start)
    {
        Interlocked.Decrement(ref _inFlight);
        _onRoom();
        return start.InFlight > 1 || Interlocked.Read(ref _sent) > start.Calls;
    }

    /// <summary>Opens what is closed, for one model or all, because an operator says so.</summary>
    public void Open(string? model)
    {
        Key.Forget();
        Availability.Reopen(model);
        foreach (var (name, one) in Models.All)
        {
            if (model is not null && name != model && name != ProviderModel(model))
                continue;
            one.Circuit.Close();
            one.Quota.Open();
        }

        _onRoom();
    }

    public DeploymentStatus Status()
    {
        var now = _time.GetUtcNow();
        var (total, minute, limits) = (Counters.Total, Counters.LastMinute, Models.Limits());
        var models = Models.All.Select(pair => ModelStatus.Of(pair.Key, pair.Value, now)).ToList();
        return new DeploymentStatus
        {
            Name = Name,
            Model = Options.ServesAll ? "*" : Options.Model!,
            Endpoint = EndpointName,
            InFlight = InFlight,
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
            GateClosedUntil = models.Max(one => one.GateClosedUntil),
            CircuitOpenUntil = models.Max(one => one.CircuitOpenUntil),
            LastFailure = Volatile.Read(ref _lastFailure),
            RecentFailure = Volatile.Read(ref _recentFailure),
            WaitingFor = _permits?.GetStatistics() is { CurrentAvailablePermits: <= 0 } ? QuotaLimit.Concurrency : Models.Limiting,
            Models = models,
            Outages = [.. Availability.All.Select(one => new OutageStatus(
                one.Scope.Model, one.Scope.Path, one.Scope.Flow, one.Code, one.Reason, one.Since, now + Availability.UntilProbe(one)))],
        };
    }

    /// <summary>What a provider said, without this deployment's keys: some quote the key that they refuse.</summary>
    public string WithoutKeys(string text) => _keys.Apply(text);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        Key.Dispose();
        await Models.DisposeAsync();
        await _adaptive.DisposeAsync();
        if (_permits is not null)
            await _permits.DisposeAsync();
    }

}
