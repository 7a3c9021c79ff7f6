using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Requests/min and tokens/min of one deployment, together, and a gate that the provider can close. A call reserves one request and its
/// estimated tokens, and settles with what the provider charges: too much comes back, too little is owed by the next ones. Calls are served in order.
/// The account itself is the ledger's: this process's own, or the fleet's.
/// <para>A lease is refused, with <see cref="MetadataName.RetryAfter"/>, only when the gate stays closed longer than the inline wait given:
/// the caller has better things to do than to hold a slot.</para>
/// <para>While the ledger is away nobody passes: an unlimited worker would burst, and a refused call would lose its place. Calls wait until it
/// is back, or until their caller cancels them.</para>
/// </summary>
internal sealed partial class RequestTokenLimiter : RateLimiter
{
    // A worker of a fleet asks so often at most: it gets blocks of that much quota.
    private static readonly TimeSpan Block = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    // Calls that one exchange may let pass.
    private const int MostCalls = 128;

    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiters = new();
    private readonly PendingUsage _pending = new();
    private readonly IQuotaLedger _ledger;
    private readonly QuotaLearner _learner;
    private readonly SporadicThrottling _sporadic;
    private readonly TimeSpan _maxInlineWait;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private QuotaAnswer _last = new();
    private QuotaAmount _judged = QuotaAsk.Unknown;
    private long _lastAt;
    private long _nextTry;
    private long _freeUntil;
    private long _lastUsed;
    private long _granted;
    private long _refused;
    private int _failures;
    private bool _exchanging;
    private bool _looks;
    private bool _probes;
    private bool _disposed;

    /// <param name="ledger">Where the account is kept.</param>
    /// <param name="configured">The limits that the settings say.</param>
    /// <param name="maxInlineWait">How long a caller waits at a closed gate.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="logger">Told when the ledger is away, and when it is back.</param>
    public RequestTokenLimiter(IQuotaLedger ledger, QuotaAmount configured, TimeSpan maxInlineWait, TimeProvider timeProvider, ILogger logger)
    {
        _ledger = ledger;
        _learner = new QuotaLearner(configured);
        _sporadic = new SporadicThrottling(timeProvider);
        _maxInlineWait = maxInlineWait;
        _time = timeProvider;
        _logger = logger;
        _lastUsed = _lastAt = _nextTry = timeProvider.GetTimestamp();
        // Long ago: the first exchange need not wait.
        _lastAt -= _time.TimestampFrequency;
        _timer = timeProvider.CreateTimer(static limiter => ((RequestTokenLimiter)limiter!).Turn(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The longest wait that closes the gate; where a provider asks for more, one call tries after this, and the others only when it was answered.</summary>
    public TimeSpan MaxRetryAfter { get; init; } = TimeSpan.MaxValue;

    /// <summary>Raised when there may be more room than before.</summary>
    public event Action? Changed;

    /// <summary>The limits in force, a minute: configured, learned, and cut where they failed; 0 for none.</summary>
    public QuotaAmount Limits
    {
        get
        {
            lock (_lock)
                return InForce();
        }
    }

    /// <summary>Whether tokens are limited, so that an estimate is worth its cost.</summary>
    public bool CountsTokens => Limits.Tokens > 0;

    /// <summary>How long the gate stays closed; zero when it is open.</summary>
    public TimeSpan ClosedFor
    {
        get
        {
            lock (_lock)
                return GateWait();
        }
    }

    /// <inheritdoc/>
    public override TimeSpan? IdleDuration
    {
        get
        {
            lock (_lock)
                return _waiters.Count > 0 ? null : _time.GetElapsedTime(_lastUsed);
        }
    }

    /// <summary>Waits for a call's turn.</summary>
    public ValueTask<RequestTokenLease> AcquireAsync(TokenEstimate estimate, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<RequestTokenLease>(cancellationToken);
        LinkedListNode<Waiter>? place = null;
        RequestTokenLease? lease = null;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (GateWait() is var gate && gate > _maxInlineWait)
            {
                _refused++;
                return ValueTask.FromResult(new RequestTokenLease(gate));
            }
            if (_waiters.Count == 0 && _time.GetTimestamp() < _freeUntil)
            {
                lease = PassUnasked(estimate);
            }
            else
            {
                place = _waiters.AddLast(new Waiter(estimate));
                if (_waiters.Count == 1)
                    _nextTry = Math.Min(_nextTry, _time.GetTimestamp());
            }
        }
        Turn();
        if (place is null)
            return ValueTask.FromResult(lease!);
        if (cancellationToken.CanBeCanceled && !place.Value.Task.IsCompleted)
            place.Value.LeavesWith(cancellationToken.UnsafeRegister(
                static (state, token) => (((RequestTokenLimiter, LinkedListNode<Waiter>))state!).Item1.Leave((((RequestTokenLimiter, LinkedListNode<Waiter>))state!).Item2, token), (this, place)));
        return new ValueTask<RequestTokenLease>(place.Value.Task);
    }

    /// <summary>About how many more calls will be admitted within <paramref name="horizon"/>, in a fleet this worker's part of them; <see cref="int.MaxValue"/> when nothing limits them.</summary>
    public int Room(TimeSpan horizon)
    {
        Look();
        lock (_lock)
        {
            var limits = InForce();
            if (GateWait() > horizon)
                return 0;
            if (limits.IsNone)
                return int.MaxValue;
            var room = Math.Min(RoomOf(limits.Requests, 0, 1, horizon), RoomOf(limits.Tokens, 1, AverageTokens, horizon));
            var mine = Math.Ceiling(Math.Max(0, room - _last.WaitingElsewhere - _waiters.Count) / (_last.OtherWorkers + 1));
            // What is known of a fleet is as old as the last exchange; after that one call at a time goes to see.
            return (int)Math.Clamp(mine, 0, _ledger.IsLocal || _time.GetElapsedTime(_lastAt) < LongestPause ? int.MaxValue : 1);
        }
    }

    /// <summary>How long until <see cref="Room"/> is likely to say 1 or more, as far as time alone makes it; zero when it does now.</summary>
    public TimeSpan UntilRoom(TimeSpan horizon)
    {
        lock (_lock)
        {
            var limits = InForce();
            var ahead = _waiters.Count + _last.WaitingElsewhere;
            var seconds = Math.Max(
                Math.Max(GateWait().TotalSeconds, UntilRoomOf(limits.Requests, 0, ahead)), UntilRoomOf(limits.Tokens, 1, ahead * AverageTokens));
            return TimeSpan.FromSeconds(Math.Max(0, seconds - horizon.TotalSeconds));
        }
    }

    /// <summary>The limit that the next call waits for; null while none keeps it, or the gate does.</summary>
    public QuotaLimit? Limiting
    {
        get
        {
            lock (_lock)
            {
                var limits = InForce();
                if (limits.IsNone || GateWait() > TimeSpan.Zero)
                    return null;
                var (requests, tokens) = (UntilRoomOf(limits.Requests, 0, _waiters.Count), UntilRoomOf(limits.Tokens, 1, _waiters.Count * AverageTokens));
                return Math.Max(requests, tokens) <= 0 ? null : tokens > requests ? QuotaLimit.Tokens : QuotaLimit.Requests;
            }
        }
    }

    /// <inheritdoc/>
    public override RateLimiterStatistics? GetStatistics()
    {
        lock (_lock)
            return new RateLimiterStatistics
            {
                CurrentAvailablePermits = Room(TimeSpan.Zero),
                CurrentQueuedCount = _waiters.Count,
                TotalSuccessfulLeases = _granted,
                TotalFailedLeases = _refused,
            };
    }

    /// <inheritdoc/>
    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        using var given = new CancellationTokenSource();
        var lease = AcquireAsync(new TokenEstimate(permitCount, 0, 0), given.Token).AsTask();
        if (lease.IsCompletedSuccessfully)
            return lease.GetAwaiter().GetResult();
        given.Cancel();
        return new RequestTokenLease(UntilRoom(TimeSpan.Zero));
    }

    /// <inheritdoc/>
    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken) =>
        await AcquireAsync(new TokenEstimate(permitCount, 0, 0), cancellationToken);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        List<Waiter> left;
        lock (_lock)
        {
            _disposed = true;
            left = [.. _waiters];
            _waiters.Clear();
            _timer.Dispose();
        }
        foreach (var waiter in left)
            waiter.TrySetException(new ObjectDisposedException(nameof(RequestTokenLimiter)));
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeAsyncCore()
    {
        Dispose(true);
        return default;
    }

    internal void Settle(QuotaSettlement settled, long tokens)
    {
        lock (_lock)
        {
            if (tokens > 0)
                AverageTokens += (tokens - AverageTokens) / 16;
            _pending.Add(settled);
        }
        Turn();
    }

    private sealed class Waiter(TokenEstimate estimate) : TaskCompletionSource<RequestTokenLease>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TokenEstimate Estimate { get; } = estimate;

        /// <summary>Drops the registration once the waiting is over.</summary>
        public void LeavesWith(CancellationTokenRegistration registration) =>
            Task.ContinueWith(static (_, state) => ((CancellationTokenRegistration)state!).Unregister(), registration, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
