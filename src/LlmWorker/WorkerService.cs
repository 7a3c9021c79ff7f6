using Microsoft.Extensions.Hosting;

namespace LlmPipeline;

/// <summary>Runs the workers of a process with its host. When they cannot go on, the host hears of it and stops.</summary>
internal sealed class WorkerService(WorkerProcess worker) : BackgroundService
{
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await worker.StopAsync(cancellationToken).ConfigureAwait(false);
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        worker.ServeAll();
        await Task.WhenAny(worker.Failed, Task.Delay(Timeout.Infinite, stoppingToken)).ConfigureAwait(false);
        if (worker.Failed.IsFaulted)
            await worker.Failed.ConfigureAwait(false);
    }
}
