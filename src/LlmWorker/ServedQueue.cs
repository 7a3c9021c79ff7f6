using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>What a process does for one queue: a worker, and beside it a reclaimer and a sweeper.</summary>
internal sealed class ServedQueue : IAsyncDisposable
{
    private readonly Worker _worker;
    private readonly Reclaimer _reclaimer;
    private readonly Sweeper _sweeper;
    private readonly CancellationTokenSource _stop = new();

    public ServedQueue(string queue, string model, IReadOnlyList<QueuePartition> partitions, PromptQueueOptions options, WorkerParts parts, ILoggerFactory loggers)
    {
        _worker = new Worker(queue, model, partitions, parts, loggers.CreateLogger<Worker>());
        _reclaimer = new Reclaimer(partitions, options, parts.Options, parts.Time, loggers.CreateLogger<Reclaimer>());
        _sweeper = new Sweeper(_worker, partitions, parts, loggers.CreateLogger<Sweeper>());
    }

    /// <summary>How long this process has neither started to serve it nor claimed a job of it.</summary>
    public TimeSpan Idle => _worker.Idle;

    /// <summary>Counts it as in use now.</summary>
    public void Use() => _worker.Use();

    /// <summary>Claims until it is stopped.</summary>
    public async Task WorkAsync()
    {
        await _worker.StartAsync(_stop.Token).ConfigureAwait(false);
        await _worker.ExecuteTask!.ConfigureAwait(false);
    }

    /// <summary>Returns lost leases until it is stopped.</summary>
    public Task ReclaimAsync() => _reclaimer.RunAsync(_stop.Token);

    /// <summary>Ends what waits and was asked to stop, until it is stopped.</summary>
    public Task SweepAsync() => _sweeper.RunAsync(_stop.Token);

    /// <summary>No more claims; what runs is not touched.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _worker.StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _worker.Dispose();
    }
}
