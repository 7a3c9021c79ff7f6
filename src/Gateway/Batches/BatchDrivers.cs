using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Looks for open batches that nobody takes on, and takes them on: under a lease, so that of several gateways one does it, and another when that one dies.
/// </summary>
internal sealed partial class BatchDrivers(BatchRecords records, FileRecords files, BatchTools tools, GatewayParts parts)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<string, Task> _running = new();
    private readonly VersionedSignal _made = new();
    private readonly ILogger _logger = parts.Loggers.CreateLogger<BatchDrivers>();
    private readonly string _token = Guid.NewGuid().ToString("N");

    /// <summary>Says that a batch was made: it is taken on at once.</summary>
    public void Wake() => _made.Set();

    /// <summary>Works until it is stopped; then hands its batches over.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var (id, task) in _running.Where(r => r.Value.IsCompleted))
                _running.TryRemove(KeyValuePair.Create(id, task));
            var seen = _made.Version;
            try
            {
                await LookAsync(cancellationToken);
            }
            catch (Exception e) when (RedisRetry.MayPass(e))
            {
                LogLater(e.GetType().Name);
            }

            await Task.WhenAny(_made.WaitAsync(seen, LookEvery * (0.75 + (Random.Shared.NextDouble() / 2)), parts.Time, cancellationToken));
        }

        await Task.WhenAll(_running.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        foreach (var owner in await files.OwnersAsync())
        {
            foreach (var id in await records.OpenAsync(owner))
            {
                if (cancellationToken.IsCancellationRequested)
                    return;
                if (!_running.ContainsKey(id) && await records.TakeAsync(owner, id, _token))
                    _running[id] = DriveAsync(owner, id, cancellationToken);
            }
        }
    }

    private async Task DriveAsync(string owner, string id, CancellationToken cancellationToken)
    {
        // The one who looks goes on looking.
        await Task.Yield();
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var keeping = KeepAsync(owner, id, lost);
        try
        {
            if (await RedisRetry.UntilAnsweredAsync(() => records.FindAsync(owner, id), parts.Time, _logger, lost.Token) is { } batch)
                await new BatchDriver(batch, _token, records, tools, parts, parts.Loggers.CreateLogger<BatchDriver>()).RunAsync(lost.Token);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            // Stopped, or another gateway has it.
        }
        catch (Exception e)
        {
            LogUnexpected(e, id);
            await Task.Delay(BatchRecords.Lease, parts.Time, lost.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await lost.CancelAsync();
        await keeping;
        await GiveUpAsync(owner, id);
    }

    /// <summary>Renews the lease; where that does not succeed in time, <paramref name="lost"/> is cancelled.</summary>
    private async Task KeepAsync(string owner, string id, CancellationTokenSource lost)
    {
        var renewed = parts.Time.GetTimestamp();
        while (!lost.IsCancellationRequested)
        {
            await Task.Delay(BatchRecords.Lease / 3, parts.Time, lost.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (lost.IsCancellationRequested)
                return;
            try
            {
                var asked = parts.Time.GetTimestamp();
                if (!await records.TakeAsync(owner, id, _token))
                    break;
                renewed = asked;
            }
            catch (Exception e) when (RedisRetry.MayPass(e))
            {
                if (parts.Time.GetElapsedTime(renewed) > BatchRecords.Lease)
                    break;
            }
        }

        LogLost(id);
        await lost.CancelAsync();
    }

    private async Task GiveUpAsync(string owner, string id)
    {
        try
        {
            await records.GiveUpAsync(owner, id, _token);
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            // It runs out by itself.
            LogLater(e.GetType().Name);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis does not answer ({Reason}): batches are looked at again when it does")]
    private partial void LogLater(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Batch {Batch} is no longer this gateway's: its lease is lost")]
    private partial void LogLost(string batch);

    [LoggerMessage(Level = LogLevel.Error, Message = "Batch {Batch} met an error that should not happen; trying again")]
    private partial void LogUnexpected(Exception exception, string batch);
}
