using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Reports a worker's deployments to its fleet when anything is closed or opened, and once a minute, and how many calls are in flight or
/// wait when that has changed; and opens what an operator asks for.
/// </summary>
public sealed partial class DeploymentReporter : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastCall = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(1);
    private readonly DeploymentReports _reports;
    private readonly LlmCaller _caller;
    private readonly Func<CallCounts>? _calls;
    private readonly string _worker;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly VersionedSignal _changed = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private DeploymentReporter(DeploymentReports reports, LlmCaller caller, Func<CallCounts>? calls, string worker, TimeProvider time, ILogger logger)
    {
        (_reports, _caller, _calls, _worker, _time, _logger) = (reports, caller, calls, worker, time, logger);
        _caller.AvailabilityChanged += _changed.Set;
        _loop = RunAsync();
    }

    /// <summary>Starts it.</summary>
    /// <param name="reports">Where to.</param>
    /// <param name="caller">Whose deployments.</param>
    /// <param name="worker">The worker's name.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told when Redis refuses for good.</param>
    /// <param name="calls">Where the jobs are that the worker holds; null where nobody counts them.</param>
    public static DeploymentReporter Start(
        DeploymentReports reports, LlmCaller caller, string worker, TimeProvider time, ILogger logger, Func<CallCounts>? calls = null) =>
        new(reports, caller, calls, worker, time, logger);

    /// <summary>Stops, and removes the report.</summary>
    public async ValueTask DisposeAsync()
    {
        _caller.AvailabilityChanged -= _changed.Set;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            await using var subscription = new Unsubscriber(
                await RedisRetry.UntilAnsweredAsync(() => _reports.SubscribeAsync(Open, _stop.Token), _time, _logger, _stop.Token).ConfigureAwait(false));
            await ReportAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            await RemoveAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Nothing depends on it: a worker that may not write its report goes on.
            LogFailed(e.Message);
        }
    }

    private async Task ReportAsync()
    {
        var (last, written) = ("", 0L);
        CallCounts? lastCalls = null;
        while (true)
        {
            var seen = _changed.Version;
            var deployments = _caller.Snapshot();
            var closed = string.Join('|', deployments.SelectMany(one => one.Outages
                .Select(outage => $"{one.Name} {outage.Model} {outage.Path} {outage.Flow} {outage.Since}")
                .Concat(one.Models.Select(
                    model => $"{one.Name} {model.Model} {model.GateClosedUntil is null} {model.CircuitOpenUntil is null}"))));
            var calls = _calls?.Invoke();
            if (closed != last || calls != lastCalls || _time.GetElapsedTime(written) > Renewal)
            {
                await RedisRetry.UntilAnsweredAsync(() => WriteAsync(deployments, calls), _time, _logger, _stop.Token).ConfigureAwait(false);
                (last, lastCalls, written) = (closed, calls, _time.GetTimestamp());
            }

            await _changed.WaitAsync(seen, Look, _time, _stop.Token).ConfigureAwait(false);
        }
    }

    private async Task<bool> WriteAsync(IReadOnlyList<DeploymentStatus> deployments, CallCounts? calls)
    {
        await _reports.WriteAsync(_worker, deployments, calls).ConfigureAwait(false);
        return true;
    }

    private void Open(string deployment, string? model)
    {
        LogOpened(deployment, model ?? "*");
        _caller.Open(deployment, model);
        _changed.Set();
    }

    private async Task RemoveAsync()
    {
        try
        {
            await _reports.RemoveAsync(_worker).WaitAsync(LastCall, _time).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisRetry.MayPass(e) || e is TimeoutException)
        {
            LogFailed(e.Message);
        }
    }

    [LoggerMessage(LogLevel.Information, "Deployment {Deployment} (model {Model}) is opened by an operator")]
    private partial void LogOpened(string deployment, string model);

    [LoggerMessage(LogLevel.Warning, "The state of the deployments is not reported: {Reason}")]
    private partial void LogFailed(string reason);

    private sealed class Unsubscriber(StackExchange.Redis.ChannelMessageQueue messages) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() =>
            await messages.UnsubscribeAsync(StackExchange.Redis.CommandFlags.FireAndForget).ConfigureAwait(false);
    }
}
