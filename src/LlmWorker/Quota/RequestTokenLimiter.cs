using System.Threading.RateLimiting;

namespace LlmPipeline;

/// <summary>
/// Requests/min and tokens/min of one deployment, together, and a gate that the provider can close. A call reserves one request and its
/// estimated tokens (the permit count), and settles with what it really used: too much comes back, too little makes a debt that the next
/// ones wait for. Waiters are served in order. A call larger than the bucket passes when the bucket is full.
/// <para>A lease is refused, with <see cref="MetadataName.RetryAfter"/>, only when the gate stays closed longer than the patience given:
/// the caller has better things to do than to hold a slot.</para>
/// </summary>
public sealed class RequestTokenLimiter : RateLimiter
{
    // Where nothing is known yet of how large calls are.
    private const double FirstGuess = 500;

    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiters = new();
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;
    private readonly ITimer _timer;
    private TokenBucket _requests;
    private TokenBucket _tokens;
    private double _averageTokens = FirstGuess;
    private long _filled;
    private long _opens;
    private long _granted;
    private long _refused;
    private long _lastUsed;
    private bool _disposed;

    /// <summary>Limits as the provider states them; null for none.</summary>
    /// <param name="requestsPerMinute">Calls per minute, 1 or more.</param>
    /// <param name="tokensPerMinute">Tokens per minute, prompt and completion together, 1 or more.</param>
    /// <param name="patience">How long a caller waits at a closed gate.</param>
    /// <param name="timeProvider">The clock.</param>
    public RequestTokenLimiter(int? requestsPerMinute, int? tokensPerMinute, TimeSpan patience, TimeProvider timeProvider)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(requestsPerMinute ?? 1, 1, nameof(requestsPerMinute));
        ArgumentOutOfRangeException.ThrowIfLessThan(tokensPerMinute ?? 1, 1, nameof(tokensPerMinute));
        _time = timeProvider;
        _patience = patience;
        _requests = new TokenBucket(requestsPerMinute, atLeast: 1);
        // The first call need not wait for tokens: a second's worth is there.
        _tokens = new TokenBucket(tokensPerMinute, atLeast: Math.Max(1, (tokensPerMinute ?? 0) / 60.0));
        _filled = _opens = _lastUsed = timeProvider.GetTimestamp();
        _timer = timeProvider.CreateTimer(static limiter => ((RequestTokenLimiter)limiter!).Serve(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether tokens are limited, so that an estimate is worth its cost.</summary>
    public bool CountsTokens => _tokens.IsLimited;

    /// <summary>How long the gate stays closed; zero when it is open.</summary>
    public TimeSpan ClosedFor
    {
        get
        {
            lock (_lock)
                return GateWait(_time.GetTimestamp());
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

    /// <summary>Lets nobody through until then. An earlier time than one already set changes nothing.</summary>
    public void CloseUntil(DateTimeOffset time)
    {
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            var wait = time - _time.GetUtcNow();
            if (wait <= GateWait(now))
                return;
            _opens = now + (long)(wait.TotalSeconds * _time.TimestampFrequency);
        }
        Serve();
    }

    /// <summary>About how many more calls will be admitted within <paramref name="horizon"/>; <see cref="int.MaxValue"/> when nothing limits them.</summary>
    public int Room(TimeSpan horizon)
    {
        lock (_lock)
        {
            var now = Fill();
            if (GateWait(now) > horizon)
                return 0;
            var room = Math.Min(_requests.Room(1, horizon), _tokens.Room(Math.Max(1, _averageTokens), horizon));
            return double.IsPositiveInfinity(room) ? int.MaxValue : (int)Math.Max(0, room - _waiters.Count);
        }
    }

    /// <summary>How long until <see cref="Room"/> is likely to say 1 or more; zero when it does now.</summary>
    public TimeSpan UntilRoom(TimeSpan horizon)
    {
        lock (_lock)
        {
            var wait = Wait(Fill(), (int)Math.Min(_averageTokens * (_waiters.Count + 1), int.MaxValue)) - horizon;
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
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
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var now = Fill();
            if (_waiters.Count == 0 && Wait(now, permitCount) <= TimeSpan.Zero)
                return Grant(permitCount);
            _refused++;
            return new RequestTokenLease(null, 0, Wait(now, permitCount));
        }
    }

    /// <inheritdoc/>
    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        LinkedListNode<Waiter> place;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var now = Fill();
            if (_waiters.Count == 0 && Wait(now, permitCount) <= TimeSpan.Zero)
                return Grant(permitCount);
            if (GateWait(now) is var gate && gate > _patience)
            {
                _refused++;
                return new RequestTokenLease(null, 0, gate);
            }
            place = _waiters.AddLast(new Waiter(permitCount));
            Schedule(now);
        }
        await using (cancellationToken.UnsafeRegister(
            static (state, token) => (((RequestTokenLimiter, LinkedListNode<Waiter>))state!).Item1.Leave((((RequestTokenLimiter, LinkedListNode<Waiter>))state!).Item2, token), (this, place)))
            return await place.Value.Task;
    }

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

    internal void Return(double requests, double tokens)
    {
        lock (_lock)
        {
            Fill();
            _requests.Take(-requests);
            _tokens.Take(-tokens);
        }
        Serve();
    }

    internal void Learn(long tokens)
    {
        lock (_lock)
            _averageTokens += (tokens - _averageTokens) / 16;
    }

    private void Serve()
    {
        List<(Waiter Waiter, RequestTokenLease Lease)> served = [];
        lock (_lock)
        {
            if (_disposed)
                return;
            var now = Fill();
            var gate = GateWait(now);
            while (_waiters.First is { } first && (gate > _patience || Wait(now, first.Value.Tokens) <= TimeSpan.Zero))
            {
                _waiters.RemoveFirst();
                if (gate > _patience)
                    _refused++;
                served.Add((first.Value, gate > _patience ? new RequestTokenLease(null, 0, gate) : Grant(first.Value.Tokens)));
            }
            Schedule(now);
        }
        foreach (var (waiter, lease) in served)
            waiter.TrySetResult(lease);
    }

    private void Leave(LinkedListNode<Waiter> place, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (place.List is null)
                return;
            _waiters.Remove(place);
        }
        place.Value.TrySetCanceled(cancellationToken);
        Serve();
    }

    private RequestTokenLease Grant(int tokens)
    {
        _requests.Take(1);
        _tokens.Take(tokens);
        _granted++;
        _lastUsed = _time.GetTimestamp();
        return new RequestTokenLease(this, tokens, null);
    }

    private void Schedule(long now)
    {
        // Rounded up to a whole millisecond: a timer that fires early would only be set again.
        if (!_disposed && _waiters.First is { } first)
            _timer.Change(TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(Wait(now, first.Value.Tokens).TotalMilliseconds), 1, int.MaxValue)), Timeout.InfiniteTimeSpan);
    }

    private long Fill()
    {
        var now = _time.GetTimestamp();
        var elapsed = _time.GetElapsedTime(_filled, now);
        _requests.Fill(elapsed);
        _tokens.Fill(elapsed);
        _filled = now;
        return now;
    }

    private TimeSpan Wait(long now, int tokens)
    {
        var wait = GateWait(now);
        if (_requests.Until(1) is var requests && requests > wait)
            wait = requests;
        return _tokens.Until(tokens) is var bucket && bucket > wait ? bucket : wait;
    }

    private TimeSpan GateWait(long now) => _opens > now ? _time.GetElapsedTime(now, _opens) : TimeSpan.Zero;

    private sealed class Waiter(int tokens) : TaskCompletionSource<RateLimitLease>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public int Tokens { get; } = tokens;
    }
}
