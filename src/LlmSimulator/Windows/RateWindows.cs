namespace LlmPipeline;

/// <summary>What the windows said to a call.</summary>
/// <param name="Reservation">What it took; null when it was refused or nothing is limited.</param>
/// <param name="Refused">Which limit refused it; null when it was let in.</param>
/// <param name="RetryAfter">When it would fit, if it was refused.</param>
internal readonly record struct Admission(Reservation? Reservation, RefusedBy? Refused, TimeSpan RetryAfter);

/// <summary>Why a call was refused.</summary>
/// <param name="Tokens">Whether tokens were short; requests otherwise.</param>
/// <param name="Limit">The limit a minute.</param>
/// <param name="Used">Of it, used.</param>
/// <param name="Requested">What the call would take.</param>
internal sealed record RefusedBy(bool Tokens, long Limit, long Used, long Requested);

/// <summary>Where the limits stand, for the headers.</summary>
internal readonly record struct LimitState(long? Requests, long RequestsLeft, long? Tokens, long TokensLeft, TimeSpan UntilFull);

/// <summary>What the windows have counted.</summary>
/// <param name="Requests">Calls let in.</param>
/// <param name="Tokens">Their tokens: reserved, and what was used once that is known, where reservations are corrected.</param>
/// <param name="Refused">Calls refused.</param>
/// <param name="RequestsInMinute">Of the last 60 s.</param>
/// <param name="TokensInMinute">Of the last 60 s.</param>
internal readonly record struct WindowCounts(long Requests, long Tokens, long Refused, long RequestsInMinute, long TokensInMinute);

/// <summary>Requests and tokens a minute: a sliding minute at the limit, and a sliding second at three times the even share, as providers watch over short bursts too.</summary>
internal sealed class RateWindows(TimeProvider time, long? requestsPerMinute, long? tokensPerMinute)
{
    private const double BurstShare = 3.0 / 60;

    private readonly Lock _lock = new();
    private readonly long _start = time.GetTimestamp();
    private readonly SlidingWindow _minute = new(TimeSpan.FromMinutes(1));
    private readonly SlidingWindow _second = new(TimeSpan.FromSeconds(1));
    private WindowCounts _counts;
    private long? _requests = requestsPerMinute;
    private long? _tokens = tokensPerMinute;

    /// <summary>New limits from now on, null for none; what the windows hold stays.</summary>
    public void SetLimits(long? requestsPerMinute, long? tokensPerMinute)
    {
        lock (_lock)
            (_requests, _tokens) = (requestsPerMinute, tokensPerMinute);
    }

    /// <summary>The limits as they are.</summary>
    public (long? Requests, long? Tokens) Limits
    {
        get
        {
            lock (_lock)
                return (_requests, _tokens);
        }
    }

    /// <summary>Lets a call in, or says when it would fit. A refused call takes nothing.</summary>
    public Admission Admit(long tokens)
    {
        lock (_lock)
        {
            if (_requests is null && _tokens is null)
            {
                _counts = _counts with { Requests = _counts.Requests + 1, Tokens = _counts.Tokens + tokens };
                return default;
            }
            var now = Trimmed();
            if (Refuse(tokens) is { } refused)
            {
                _counts = _counts with { Refused = _counts.Refused + 1 };
                return new(null, refused, Wait(now, tokens));
            }
            _counts = _counts with { Requests = _counts.Requests + 1, Tokens = _counts.Tokens + tokens };
            var call = new Reservation(now, tokens);
            _minute.Add(call);
            _second.Add(call);
            return new(call, null, default);
        }
    }

    /// <summary>The call used so many tokens, whatever it had reserved.</summary>
    public void Correct(Reservation call, long tokens)
    {
        lock (_lock)
        {
            Trimmed();
            var by = tokens - call.Tokens;
            _minute.Changing(call, by);
            _second.Changing(call, by);
            _counts = _counts with { Tokens = _counts.Tokens + by };
            call.Tokens = tokens;
        }
    }

    /// <summary>What has been counted against the limits since the start or the last reset, and what stands in the minute now.</summary>
    public WindowCounts Counts
    {
        get
        {
            lock (_lock)
            {
                Trimmed();
                return _counts with { RequestsInMinute = _minute.Requests, TokensInMinute = _minute.Tokens };
            }
        }
    }

    /// <summary>Counts from zero again; the windows stay as full as they are.</summary>
    public void ResetCounts()
    {
        lock (_lock)
            _counts = default;
    }

    /// <summary>Where the limits stand now.</summary>
    public LimitState State()
    {
        lock (_lock)
        {
            if (_requests is null && _tokens is null)
                return default;
            var now = Trimmed();
            return new(_requests, Left(_requests, _minute.Requests), _tokens, Left(_tokens, _minute.Tokens), _minute.UntilEmpty(now));
        }
    }

    private static long Left(long? limit, long used) => Math.Max(0, (limit ?? 0) - used);

    private long Trimmed()
    {
        var now = time.GetElapsedTime(_start).Ticks;
        _minute.Trim(now);
        _second.Trim(now);
        return now;
    }

    private RefusedBy? Refuse(long tokens)
    {
        if (_requests is { } requests && (_minute.Requests + 1 > requests || _second.Requests + 1 > MaxRequestsInSecond))
            return new(false, requests, _minute.Requests, 1);
        if (_tokens is { } limit && (_minute.Tokens + tokens > limit || (_second.Tokens > 0 && _second.Tokens + tokens > MaxTokensInSecond)))
            return new(true, limit, _minute.Tokens, tokens);
        return null;
    }

    private TimeSpan Wait(long now, long tokens)
    {
        var minute = TimeSpan.Zero;
        if (_minute.Requests + 1 > MaxRequests || _minute.Tokens + tokens > MaxTokens)
            minute = _minute.UntilFree(now, MaxRequests, MaxTokens, tokens);
        var second = TimeSpan.Zero;
        if (_second.Requests + 1 > MaxRequestsInSecond || (_second.Tokens > 0 && _second.Tokens + tokens > MaxTokensInSecond))
            second = _second.UntilFree(now, MaxRequestsInSecond, Math.Max(MaxTokensInSecond, tokens), tokens);
        return minute > second ? minute : second;
    }

    private double MaxRequests => _requests ?? double.PositiveInfinity;

    private double MaxTokens => _tokens ?? double.PositiveInfinity;

    private double MaxRequestsInSecond => Math.Max(1, MaxRequests * BurstShare);

    private double MaxTokensInSecond => MaxTokens * BurstShare;
}
