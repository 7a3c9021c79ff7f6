using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Removes the records of batches that have ended long ago. Any number of gateways may do it at the same time.</summary>
/// <param name="records">The batches.</param>
/// <param name="files">Whose they are.</param>
/// <param name="clock">The clock of Redis.</param>
/// <param name="life">How long a batch is kept after its end.</param>
/// <param name="time">The clock of the pauses.</param>
/// <param name="logger">Told when Redis does not answer.</param>
internal sealed partial class BatchExpiry(
    BatchRecords records, FileRecords files, RedisClock clock, TimeSpan life, TimeProvider time, ILogger<BatchExpiry> logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    /// <summary>Works until it is stopped.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ExpireAsync(cancellationToken);
            }
            catch (Exception e) when (RedisRetry.MayPass(e))
            {
                LogLater(e.GetType().Name);
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ExpireAsync(CancellationToken cancellationToken)
    {
        var before = await clock.NowAsync() - life;
        foreach (var owner in await files.OwnersAsync())
        {
            cancellationToken.ThrowIfCancellationRequested();
            await records.ExpireAsync(owner, before);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis does not answer ({Reason}): old batches are removed later")]
    private partial void LogLater(string reason);
}
