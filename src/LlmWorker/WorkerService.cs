using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Runs the workers of a process with its host. When they cannot go on, the host learns of it and stops.</summary>
internal sealed partial class WorkerService(
    Func<WorkerProcess> findWorker, Func<DeploymentReporter> startReporter, TimeProvider time, ILogger<WorkerService> logger)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private DeploymentReporter? _reporter;
    private WorkerProcess? _worker;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_reporter is not null)
            await _reporter.DisposeAsync().ConfigureAwait(false);
        if (_worker is not null)
            await _worker.StopAsync(cancellationToken).ConfigureAwait(false);
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _worker = await FindWorkerAsync(stoppingToken).ConfigureAwait(false);
        _reporter = startReporter();
        _worker.ServeAll();
        await Task.WhenAny(_worker.Failed, Task.Delay(Timeout.Infinite, stoppingToken)).ConfigureAwait(false);
        if (_worker.Failed.IsFaulted)
            await _worker.Failed.ConfigureAwait(false);
    }

    // The services of a host connect when they are made. A service that could not be made is made anew at the next try.
    private async Task<WorkerProcess> FindWorkerAsync(CancellationToken stopping)
    {
        for (var failures = 0; ; failures++)
        {
            stopping.ThrowIfCancellationRequested();
            try
            {
                var worker = findWorker();
                if (failures > 0)
                    LogConnected(logger, failures + 1);
                return worker;
            }
            catch (RedisUnreachableException e) when (!e.IsSetting)
            {
                if (failures == 0)
                    LogUnreachable(logger, e.Message);
            }

            await Task.Delay(Pause, time, stopping).ConfigureAwait(false);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Reason}; the worker begins when it can be")]
    private static partial void LogUnreachable(ILogger logger, string reason);

    [LoggerMessage(LogLevel.Information, "Redis is reached at the {Count}. try; the worker begins")]
    private static partial void LogConnected(ILogger logger, int count);
}
