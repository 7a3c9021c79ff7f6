using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>What the workers of a process share.</summary>
internal sealed class WorkerParts
{
    private readonly ConcurrentDictionary<Task, byte> _running = new();

    public required RedisConnections Redis { get; init; }

    public required ResultStore Results { get; init; }

    public required ILlmCaller Caller { get; init; }

    public required LeaseKeeper Leases { get; init; }

    public required JobRunner Runner { get; init; }

    public required Slots Slots { get; init; }

    public required WorkerOptions Options { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Set when the process ends without waiting any longer.</summary>
    public required CancellationToken GiveUp { get; init; }

    /// <summary>Remembers work that runs, until it has ended. The work itself never throws.</summary>
    public void Track(Task work)
    {
        if (work.IsCompleted)
            return;
        _running.TryAdd(work, 0);
        work.ContinueWith(done => _running.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Ends when nothing runs.</summary>
    public async Task IdleAsync()
    {
        while (!_running.IsEmpty)
            await Task.WhenAll(_running.Keys).ConfigureAwait(false);
    }
}
