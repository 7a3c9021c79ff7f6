namespace LlmPipeline;

/// <summary>
/// The pauses of a process that follows a batch, or waits for room in a queue: neither is announced by messages, so Redis is asked soon
/// again while something moves, and ever more seldom while nothing does.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class BatchPoll(TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);
    private TimeSpan _pause = Shortest;

    /// <summary>Waits until the batch is to be read again.</summary>
    /// <param name="hasMoved">Whether rows had ended at the last read.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    public Task WaitAsync(bool hasMoved, CancellationToken cancellationToken) => Task.Delay(Next(hasMoved), time, cancellationToken);

    /// <summary>The same for a reader in the process of the worker, which is woken when rows of this process end.</summary>
    /// <param name="hasMoved">Whether rows had ended at the last read.</param>
    /// <param name="ended">Set when rows have ended.</param>
    /// <param name="seen">Its version before the last read.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    public Task WaitAsync(bool hasMoved, VersionedSignal ended, long seen, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ended);
        // To read, to write and to flush costs the same for one row as for hundreds.
        return hasMoved ? WaitAsync(true, cancellationToken) : ended.WaitAsync(seen, Longest, time, cancellationToken);
    }

    private TimeSpan Next(bool hasMoved) => _pause = hasMoved ? Shortest : _pause * 2 < Longest ? _pause * 2 : Longest;
}
