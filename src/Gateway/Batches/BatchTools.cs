namespace LlmPipeline;

/// <summary>What the drivers of a process share.</summary>
internal sealed class BatchTools(BatchInput input, BatchEnqueuer enqueuer, BatchWriter writer)
{
    public BatchInput Input => input;

    public BatchEnqueuer Enqueuer => enqueuer;

    public BatchWriter Writer => writer;

    /// <summary>For checking and writing files: more at a time would only take more memory.</summary>
    public BatchTurns Files { get; } = new(2);

    /// <summary>For enqueueing, which waits where a queue is full and must not keep others from being checked and finished.</summary>
    public BatchTurns Queues { get; } = new(4);
}

/// <summary>Lets so many do something at a time.</summary>
internal sealed class BatchTurns(int count)
{
    private readonly SemaphoreSlim _free = new(count);

    /// <summary>Waits for a turn, which lasts until it is disposed.</summary>
    public async Task<IDisposable> TakeAsync(CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        return new Turn(_free);
    }

    private sealed class Turn(SemaphoreSlim free) : IDisposable
    {
        public void Dispose() => free.Release();
    }
}
