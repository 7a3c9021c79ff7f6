namespace LlmPipeline;

/// <summary>What one call took of the windows.</summary>
internal sealed class Reservation(long time, long tokens)
{
    /// <summary>When, in ticks since the windows began.</summary>
    public long Time { get; } = time;

    /// <summary>How many tokens.</summary>
    public long Tokens { get; set; } = tokens;
}

/// <summary>The calls of the last <paramref name="span"/>, exactly: no buckets, so no edge at which twice the limit passes. Not thread-safe.</summary>
internal sealed class SlidingWindow(TimeSpan span)
{
    private readonly Queue<Reservation> _calls = new();
    private long _left = long.MinValue;
    private long _last;

    /// <summary>Calls in the window.</summary>
    public int Requests => _calls.Count;

    /// <summary>Tokens in the window.</summary>
    public long Tokens { get; private set; }

    /// <summary>Lets go of what is older than the span.</summary>
    public void Trim(long now)
    {
        _left = now - span.Ticks;
        while (_calls.TryPeek(out var oldest) && oldest.Time <= _left)
            Tokens -= _calls.Dequeue().Tokens;
    }

    /// <summary>Takes a call in; its time must not be before the last one's.</summary>
    public void Add(Reservation call)
    {
        _calls.Enqueue(call);
        Tokens += call.Tokens;
        _last = call.Time;
    }

    /// <summary>To be called before a call's tokens change by this much.</summary>
    public void Changing(Reservation call, long by)
    {
        if (call.Time > _left)
            Tokens += by;
    }

    /// <summary>Time until the window is empty if nothing more comes.</summary>
    public TimeSpan UntilEmpty(long now) => _calls.Count == 0 ? TimeSpan.Zero : new(_last + span.Ticks - now);

    /// <summary>Time until so many calls and tokens are free; the whole span when they never are.</summary>
    public TimeSpan UntilFree(long now, double maxRequests, double maxTokens, long tokens)
    {
        var requestsLeft = Requests;
        var tokensLeft = Tokens;
        foreach (var call in _calls)
        {
            requestsLeft--;
            tokensLeft -= call.Tokens;
            if (requestsLeft + 1 <= maxRequests && tokensLeft + tokens <= maxTokens)
                return new(call.Time + span.Ticks - now);
        }
        return span;
    }
}
