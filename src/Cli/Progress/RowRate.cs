namespace LlmPipeline;

/// <summary>
/// Estimates rows per second and the time that is left. The rate is that between two moments at which rows ended: the time since the last
/// of them belongs to calls that still run. With slow answers rows end in waves of as many as run at a time, and a rate that counts the
/// time since the last wave is wrong by up to half.
/// </summary>
/// <param name="window">The rate is that of this time before now.</param>
internal sealed class RowRate(TimeSpan window)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1);
    private readonly Queue<(TimeSpan At, long Done)> _ends = new([(TimeSpan.Zero, 0)]);
    private (TimeSpan At, long Done) _last = (TimeSpan.Zero, 0);

    /// <summary>Notes how many rows have ended.</summary>
    /// <param name="at">The time since the start of the run.</param>
    /// <param name="done">The rows.</param>
    public void Add(TimeSpan at, long done)
    {
        if (done == _last.Done)
            return;
        _last = (at, done);
        _ends.Enqueue(_last);
        // Two moments are needed, however far apart.
        while (_ends.Count > 2 && at - _ends.ElementAt(1).At >= window)
            _ends.Dequeue();
    }

    /// <summary>The time since the last row ended.</summary>
    public TimeSpan Idle(TimeSpan now) => now - _last.At;

    /// <summary>Rows per second; 0 while none has ended.</summary>
    public double PerSecond(TimeSpan now)
    {
        var (at, done) = _ends.Peek();
        var seconds = (End(now) - at).TotalSeconds;
        return seconds > 0 ? (_last.Done - done) / seconds : 0;
    }

    /// <summary>The time in which a number of rows ends; null while that is not known.</summary>
    public TimeSpan? Left(TimeSpan now, long rows)
    {
        if (rows <= 0)
            return TimeSpan.Zero;
        if (PerSecond(now) is not (> 0 and var rate))
            return null;
        var seconds = Math.Min(rows / rate, TimeSpan.FromDays(3650).TotalSeconds) - (now - _last.At).TotalSeconds;
        // The last calls take as long as others do.
        return TimeSpan.FromSeconds(Math.Max(1, seconds));
    }

    // A pause that is longer than all before it is none of a wave: from then on it counts.
    private TimeSpan End(TimeSpan now)
    {
        var (before, longest) = (_ends.Peek().At, ShortestPause);
        foreach (var (at, _) in _ends)
            (before, longest) = (at, at - before > longest ? at - before : longest);
        return now - _last.At > longest * 1.5 ? now : _last.At;
    }
}
