namespace LlmPipeline;

/// <summary>
/// What a run has paid, and whether its budget is reached: every call of this process, as soon as its tokens are known, and what earlier runs of the batch have paid, as they wrote
/// beside the output or as Redis has counted for a batch that only runs call. Safe for use by many threads.
/// </summary>
internal sealed class RunSpending(LlmCaller caller, OutputSpent record, long? budget)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private long _before;

    /// <summary>The most that the batch may cost, in nanos; null for no limit.</summary>
    public long? Budget => budget;

    /// <summary>What this run's calls have cost, in nanos; null as long as no price is known.</summary>
    public long? OfThisRun =>
        caller.Snapshot().Select(deployment => deployment.SpentNanos).Aggregate((long?)null, (sum, one) => one is null ? sum : (sum ?? 0) + one);

    /// <summary>What all runs of the batch have cost, in nanos; null when nothing is known.</summary>
    public long? InAll => OfThisRun is { } now ? _before + now : _before > 0 ? _before : null;

    /// <summary>False once the budget is reached.</summary>
    public bool MayClaim => budget is null || (InAll ?? 0) < budget;

    /// <summary>Ends when the budget is reached.</summary>
    public Task Reached => _reached.Task;

    /// <summary>Begins with what was written beside the output.</summary>
    public void Begin() => _before = record.Read();

    /// <summary>Redis has counted this for the batch's earlier runs; they may have had another output.</summary>
    public void Count(long? nanos) => _before = Math.Max(_before, nanos ?? 0);

    /// <summary>Looks whether the budget is reached.</summary>
    public void Look()
    {
        if (!MayClaim)
            _reached.TrySetResult();
    }

    /// <summary>Removes what was written down, once no run goes on from it.</summary>
    /// <exception cref="OutputException">It cannot be removed.</exception>
    public void Forget()
    {
        lock (_lock)
            record.Delete();
    }

    /// <summary>Writes down what has been spent.</summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public void Save()
    {
        lock (_lock)
        {
            if (InAll is { } nanos)
                record.Write(nanos);
        }
    }
}
