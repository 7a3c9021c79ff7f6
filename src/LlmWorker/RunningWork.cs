namespace LlmPipeline;

/// <summary>Counts what runs in a process, until nothing does.</summary>
internal sealed class RunningWork
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _idle;
    private int _count;

    /// <summary>Something begins; each is ended once by <see cref="End"/>.</summary>
    public void Begin() => Interlocked.Increment(ref _count);

    /// <summary>Something has ended.</summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _count) > 0)
            return;
        lock (_lock)
            _idle?.TrySetResult();
    }

    /// <summary>Counts a task until it has ended; it must not throw.</summary>
    public async void Track(Task work)
    {
        Begin();
        try
        {
            await work.ConfigureAwait(false);
        }
        finally
        {
            End();
        }
    }

    /// <summary>Ends when nothing runs.</summary>
    public async Task IdleAsync()
    {
        while (true)
        {
            Task idle;
            lock (_lock)
            {
                if (Volatile.Read(ref _count) == 0)
                    return;
                // What begins when the last has just ended is waited for as well.
                idle = (_idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await idle.ConfigureAwait(false);
        }
    }
}
