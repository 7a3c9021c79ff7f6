namespace LlmPipeline;

/// <summary>Jobs that are ended without their turn, and without slots.</summary>
internal sealed class OutOfTurn(WorkerParts parts, int jobs) : IJobOwner
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = jobs;

    /// <summary>Ends when all of them have ended.</summary>
    public Task AllEnded => Volatile.Read(ref _left) == 0 ? Task.CompletedTask : _ended.Task;

    public ValueTask<bool> EnterAsync(HeldJob job) => ValueTask.FromResult(true);

    public void Called(HeldJob job, bool isAnswered)
    {
        // It had no slot.
    }

    public void Stored(string flow, int answers, long bytes)
    {
        // Nobody waits for that.
    }

    public void Ended(HeldJob job)
    {
        parts.Leases.Remove(job);
        parts.Running.End();
        if (Interlocked.Decrement(ref _left) == 0)
            _ended.TrySetResult();
    }
}
