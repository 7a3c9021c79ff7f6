namespace LlmPipeline;

/// <summary>
/// An event that cannot be missed: note <see cref="Version"/>, look at what it is about, then wait for a version that is newer.
/// A <see cref="Set"/> between the note and the wait ends the wait at once.
/// </summary>
/// <param name="runsInline">
/// True where who waits goes on within <see cref="Set"/>, on its thread, until it waits for something else: waking another thread takes as long as a small call to Redis.
/// Only for who does little until then.
/// </param>
public sealed class VersionedSignal(bool runsInline = false)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _next;
    private long _version;

    /// <summary>How often it was set.</summary>
    public long Version => Volatile.Read(ref _version);

    /// <summary>Wakes everybody who waits for a newer version.</summary>
    public void Set()
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            Volatile.Write(ref _version, _version + 1);
            waiting = _next;
            _next = null;
        }

        waiting?.TrySetResult();
    }

    /// <summary>Waits until the version is newer than <paramref name="seen"/>.</summary>
    /// <param name="seen">The version that the caller noted before it looked.</param>
    /// <param name="timeout">How long to wait at most.</param>
    /// <param name="time">The clock of the timeout.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <returns>True when it was set, false when the time was up.</returns>
    public async Task<bool> WaitAsync(long seen, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(time);
        Task next;
        lock (_lock)
        {
            if (_version != seen)
                return true;
            next = (_next ??= new TaskCompletionSource(runsInline ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        // When the time is up this ends without an exception being thrown: it is nothing unusual.
        await next.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return Version != seen;
    }
}
