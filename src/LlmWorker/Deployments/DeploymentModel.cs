using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>One provider model of a deployment: the limits that were learned or told for it, its gate, its circuit.</summary>
internal sealed partial class DeploymentModel : IAsyncDisposable
{
    private static readonly TimeSpan FirstThrottle = TimeSpan.FromSeconds(0.25);
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(10);

    private readonly string _name;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private string? _gateReason;
    private int _throttlesInARow;
    private long _succeeded;
    private long _unready;

    /// <param name="name">The deployment's name, and the model's where it has several.</param>
    /// <param name="quota">Its limits.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="logger">Told of its gate and circuit.</param>
    public DeploymentModel(string name, RequestTokenLimiter quota, TimeProvider timeProvider, ILogger logger)
    {
        _name = name;
        _time = timeProvider;
        _logger = logger;
        Quota = quota;
        Circuit = new Circuit(name, timeProvider, logger);
        LastUsed = timeProvider.GetTimestamp();
    }

    public RequestTokenLimiter Quota { get; }

    public Circuit Circuit { get; }

    public TimeoutEvidence Timeouts { get; } = new();

    /// <summary>Timestamp of the last use, by which the records of models are bounded.</summary>
    public long LastUsed { get; set; }

    /// <summary>How often the gate was closed since the last success.</summary>
    public int ThrottlesInARow => Volatile.Read(ref _throttlesInARow);

    /// <summary>Whether any call has brought an answer.</summary>
    public bool HasAnswered => Volatile.Read(ref _succeeded) != 0;

    /// <summary>How long the gate or the circuit keeps calls away; zero when neither does.</summary>
    public TimeSpan ShutFor => Quota.ClosedFor is var gate && Circuit.OpenFor is var circuit && gate > circuit ? gate : circuit;

    /// <summary>What the provider said when it closed the gate; null when it is open.</summary>
    public string? GateReason => Quota.ClosedFor > TimeSpan.Zero ? Volatile.Read(ref _gateReason) : null;

    /// <summary>Whether a call has succeeded since a time.</summary>
    /// <param name="timestamp">The time.</param>
    public bool HasSucceededSince(long timestamp) => Volatile.Read(ref _succeeded) is var at && at != 0 && at >= timestamp;

    /// <summary>
    /// Whether the model is not ready yet: it says so by 503 since at most ten minutes and nothing has succeeded meanwhile. A server that
    /// loads its model answers that way, and no row is to spend its attempts on it.
    /// </summary>
    /// <param name="sent">Timestamp of when the call was sent.</param>
    public bool IsStarting(long sent)
    {
        var succeeded = Volatile.Read(ref _succeeded);
        if (Interlocked.CompareExchange(ref _unready, sent, 0) is var since && (since == 0 || since < succeeded))
            Volatile.Write(ref _unready, since = sent);
        return _time.GetElapsedTime(since) < LongestStart && (succeeded == 0 || succeeded < sent);
    }

    /// <summary>The provider asked to wait. Without a time from it, the wait grows with each refusal that follows a wait.</summary>
    /// <returns>Whether calls are kept away.</returns>
    public bool Throttle(HttpAnswer answer, TimeSpan? notBefore, string? reason)
    {
        // Calls that were under way when the gate closed tell nothing new.
        if (Quota.ClosedFor == TimeSpan.Zero)
            Interlocked.Increment(ref _throttlesInARow);
        else if (notBefore is null)
            return false;
        var wait = notBefore ?? FirstThrottle * Math.Pow(2, Math.Clamp(Volatile.Read(ref _throttlesInARow) - 1, 0, 6));
        if (!Quota.Refuse(answer.Number, answer.Limits, wait))
            return false;
        Volatile.Write(ref _gateReason, reason);
        LogThrottled(_logger, _name, wait);
        return true;
    }

    /// <summary>A call brought an answer.</summary>
    public void Succeeded()
    {
        Volatile.Write(ref _throttlesInARow, 0);
        Volatile.Write(ref _succeeded, _time.GetTimestamp());
        Timeouts.Succeeded(_time.GetTimestamp());
    }

    public ValueTask DisposeAsync() => Quota.DisposeAsync();

    [LoggerMessage(LogLevel.Information, "{Deployment} asked to wait {Wait}")]
    private static partial void LogThrottled(ILogger logger, string deployment, TimeSpan wait);
}
