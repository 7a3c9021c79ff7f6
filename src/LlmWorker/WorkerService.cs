using Microsoft.Extensions.Hosting;

namespace LlmPipeline;

/// <summary>Runs the workers of a process with its host. When they cannot go on, the host hears of it and stops.</summary>
internal sealed class WorkerService(WorkerProcess worker, Func<DeploymentReporter> startReporter) : BackgroundService
{
    private DeploymentReporter? _reporter;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_reporter is not null)
            await _reporter.DisposeAsync().ConfigureAwait(false);
        await worker.StopAsync(cancellationToken).ConfigureAwait(false);
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _reporter = startReporter();
        worker.ServeAll();
        await Task.WhenAny(worker.Failed, Task.Delay(Timeout.Infinite, stoppingToken)).ConfigureAwait(false);
        if (worker.Failed.IsFaulted)
            await worker.Failed.ConfigureAwait(false);
    }
}
