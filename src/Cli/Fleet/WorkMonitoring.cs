using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace LlmPipeline;

/// <summary>What a worker tells whoever watches it: pages of its own with <c>--metrics</c>, and a collector where the environment names one.</summary>
internal sealed class WorkMonitoring : IAsyncDisposable
{
    private MonitoringServer? _server;
    private QueueGauge? _gauge;
    private ServiceProvider? _collected;

    /// <exception cref="CliException">The address can't be used.</exception>
    public static async Task<WorkMonitoring> StartAsync(string? endpoint, RedisConnections redis, PromptQueue queue, LlmCaller caller, TimeProvider time, CommandLog log)
    {
        var loggers = log.Loggers;
        var monitoring = new WorkMonitoring();
        if (endpoint is not null)
        {
            try
            {
                monitoring._server = await MonitoringServer.StartAsync(endpoint, "work", token => FaultAsync(redis, caller, token), loggers).ConfigureAwait(false);
            }
            catch (Exception e) when (e is FormatException or IOException or System.Net.Sockets.SocketException)
            {
                throw CliException.Usage($"--metrics {e.Message}");
            }

            log.Say($"metrics on {monitoring._server.Address}/metrics");
        }
        else if (MonitoringServices.HasCollector)
        {
            monitoring._collected = new ServiceCollection().AddMonitoring("work").BuildServiceProvider();
            _ = monitoring._collected.GetService<MeterProvider>();
            _ = monitoring._collected.GetService<TracerProvider>();
        }

        if (endpoint is not null || MonitoringServices.HasCollector)
            monitoring._gauge = new QueueGauge(new PromptQueue(redis.Once, queue.Options, time), time, loggers.CreateLogger<QueueGauge>());
        return monitoring;
    }

    public async ValueTask DisposeAsync()
    {
        if (_gauge is not null)
            await _gauge.DisposeAsync().ConfigureAwait(false);
        if (_server is not null)
            await _server.DisposeAsync().ConfigureAwait(false);
        if (_collected is not null)
            await _collected.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<string?> FaultAsync(RedisConnections redis, LlmCaller caller, CancellationToken cancellationToken)
    {
        if (await RedisHealth.FaultAsync(redis, cancellationToken).ConfigureAwait(false) is { } fault)
            return fault;
        var deployments = caller.Snapshot();
        return deployments.All(one => one.Outages.Any(outage => outage.Model is null)) ? $"all deployments are unavailable: {deployments[0].UnavailableReason}" : null;
    }
}
