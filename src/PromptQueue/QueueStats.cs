namespace LlmPipeline;

/// <summary>Where the jobs of a queue are, over all its partitions.</summary>
/// <param name="Waiting">In the lists, all lanes.</param>
/// <param name="Delayed">Waiting for their time.</param>
/// <param name="Inflight">Under a lease.</param>
/// <param name="Dead">Among the dead letters.</param>
public sealed record QueueStats(long Waiting, long Delayed, long Inflight, long Dead)
{
    /// <summary>Whether claims get nothing until the queue is resumed.</summary>
    public bool Paused { get; init; }
}

/// <summary>How far a batch is, over its partitions.</summary>
/// <param name="Expected">Jobs that were enqueued, each once.</param>
/// <param name="Completed">Ended with a completion.</param>
/// <param name="Failed">Ended with an error, or past their deadline.</param>
/// <param name="Cancelled">Ended because it was asked for.</param>
public sealed record BatchProgress(long Expected, long Completed, long Failed, long Cancelled)
{
    /// <summary>How many have ended.</summary>
    public long Ended => Completed + Failed + Cancelled;

    /// <summary>What its calls have cost, those that failed or were redriven included, in billionths of the price table's currency; null as long as no price is known.</summary>
    public long? SpentNanos { get; init; }

    internal static long? SumOf(IReadOnlyCollection<BatchProgress> parts) => parts.Any(part => part.SpentNanos is not null) ? parts.Sum(part => part.SpentNanos ?? 0) : null;
}
