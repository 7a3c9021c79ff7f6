namespace LlmPipeline;

/// <summary>What the drivers of a process share.</summary>
internal sealed class BatchTools(BatchInput input, BatchEnqueuer enqueuer, BatchWriter writer)
{
    // Reading, enqueueing and writing take a core each; more at a time would only take more memory.
    private readonly SemaphoreSlim _turns = new(2);

    public BatchInput Input => input;

    public BatchEnqueuer Enqueuer => enqueuer;

    public BatchWriter Writer => writer;

    /// <summary>Waits for a turn at the heavy work, which lasts until it is disposed.</summary>
    public async Task<IDisposable> TurnAsync(CancellationToken cancellationToken)
    {
        await _turns.WaitAsync(cancellationToken);
        return new Turn(_turns);
    }

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        public void Dispose() => turns.Release();
    }
}
