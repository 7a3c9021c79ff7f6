namespace LlmPipeline;

/// <summary>
/// What a run's batch has cost, and whether its budget is reached. On the store in the process: every call of this process, as soon as its tokens are known, and what
/// earlier runs wrote down beside the output. On a shared Redis: what is counted there for the batch, whoever called. Safe for use by many threads.
/// </summary>
internal sealed class RunSpending(LlmCaller caller, OutputSpent record, long? budget)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private Func<long?>? _counted;
    private long _before;

    /// <summary>The most that the batch may cost, in nanos; null for no limit.</summary>
    public long? Budget => budget;

    /// <summary>What this run's calls have cost, in nanos; null as long as no price is known.</summary>
    public long? OfThisRun => _counted is { } counted
        ? counted() is { } now ? now - _before : null
        : caller.Snapshot().Select(deployment => deployment.SpentNanos).Aggregate((long?)null, (sum, one) => one is null ? sum : (sum ?? 0) + one);

    /// <summary>What all runs of the batch have cost, in nanos; null when nothing is known.</summary>
    public long? InAll => OfThisRun is { } now ? _before + now : _before > 0 ? _before : null;

    /// <summary>False once the budget is reached.</summary>
    public bool MayClaim => budget is null || (InAll ?? 0) < budget;

    /// <summary>Ends when the budget is reached.</summary>
    public Task Reached => _reached.Task;

    /// <summary>Begins with what was written down.</summary>
    public void Begin() => _before = record.Read();

    /// <summary>Begins with what Redis has counted for the batch.</summary>
    /// <param name="counted">What it has counted now.</param>
    public void Begin(Func<long?> counted) => (_before, _counted) = (counted() ?? 0, counted);

    /// <summary>Looks whether the budget is reached.</summary>
    public void Look()
    {
        if (!MayClaim)
            _reached.TrySetResult();
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
