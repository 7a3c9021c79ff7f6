namespace LlmPipeline;

/// <summary>The time that an HTTP call has. It does not run while an answer waits here to be read on.</summary>
internal sealed class AttemptTimer : IDisposable
{
    private readonly CancellationTokenSource _ended;
    private readonly CancellationTokenSource _either;
    private readonly TimeProvider _time;
    private TimeSpan _left;
    private long _since;

    /// <param name="timeout">How long the call may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the call too.</param>
    public AttemptTimer(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        (_left, _time, _since) = (timeout, time, time.GetTimestamp());
        _ended = new CancellationTokenSource(timeout, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token, cancellationToken);
    }

    /// <summary>Cancelled when the time is over, or the call is to be broken off.</summary>
    public CancellationToken Token => _either.Token;

    /// <summary>Whether the time is over.</summary>
    public bool HasEnded => _ended.IsCancellationRequested;

    /// <summary>Stops the clock.</summary>
    public void Pause()
    {
        if (_left == Timeout.InfiniteTimeSpan)
            return;
        _left -= _time.GetElapsedTime(_since);
        _ended.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    /// <summary>Starts it again.</summary>
    public void Resume()
    {
        if (_left == Timeout.InfiniteTimeSpan)
            return;
        _since = _time.GetTimestamp();
        _ended.CancelAfter(_left > TimeSpan.Zero ? _left : TimeSpan.Zero);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _either.Dispose();
        _ended.Dispose();
    }
}
