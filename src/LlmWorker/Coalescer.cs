namespace LlmPipeline;

/// <summary>
/// Puts together what comes while calls are on their way, so that many go with the next one: the busier Redis is, the fewer calls it gets.
/// What comes alone goes at once.
/// </summary>
/// <param name="most">Items in a call at most.</param>
/// <param name="calls">Calls on their way at most.</param>
/// <param name="call">Makes one; must not throw.</param>
internal sealed class Coalescer<T>(int most, int calls, Func<IReadOnlyList<T>, Task> call) : IThreadPoolWorkItem, IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Queue<T> _waiting = new();
    private TaskCompletionSource? _idle;
    private int _running;
    private bool _disposed;

    /// <summary>How large an item is, in bytes; a call takes more than one item only while they are small. Null: it does not matter.</summary>
    public Func<T, int>? SizeOf { get; init; }

    /// <summary>The most bytes of a call that takes more than one item.</summary>
    public int MostBytes { get; init; } = int.MaxValue;

    /// <exception cref="ObjectDisposedException">It was disposed of.</exception>
    public void Add(T item)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _waiting.Enqueue(item);
            if (_running == calls)
                return;
            _running++;
        }

        // On another thread: what the caller adds meanwhile goes with it.
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Ends when all that was added has been handed over.</summary>
    public async ValueTask DisposeAsync()
    {
        Task idle;
        lock (_lock)
        {
            _disposed = true;
            idle = _running == 0 ? Task.CompletedTask : (_idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        await idle.ConfigureAwait(false);
    }

    async void IThreadPoolWorkItem.Execute()
    {
        while (Take() is { Count: > 0 } items)
            await call(items).ConfigureAwait(false);
    }

    private List<T> Take()
    {
        lock (_lock)
        {
            var taken = new List<T>(Math.Min(most, _waiting.Count));
            for (var bytes = 0L; taken.Count < most && _waiting.TryPeek(out var next); taken.Add(_waiting.Dequeue()))
            {
                bytes += SizeOf?.Invoke(next) ?? 0;
                if (taken.Count > 0 && bytes > MostBytes)
                    break;
            }

            if (taken.Count == 0 && --_running == 0)
                _idle?.TrySetResult();
            return taken;
        }
    }
}
