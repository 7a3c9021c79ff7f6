using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Removes files whose time is over, and what killed uploads and deletions have left. Any number of gateways may do it at the same time.</summary>
internal sealed partial class FileKeeper(FileRecords records, FileFolder folder, RedisClock clock, GatewayOptions options, TimeProvider time, ILogger<FileKeeper> logger)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>An upload of another gateway may be under way for <see cref="GatewayOptions.UploadTimeout"/>.</summary>
    private TimeSpan LeftoverAge => 2 * options.UploadTimeout;

    /// <summary>Works until it is stopped.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await TidyAsync(cancellationToken);
            }
            catch (Exception e) when (RedisRetry.MayPass(e) || e is IOException or UnauthorizedAccessException)
            {
                LogLater(e);
            }

            await Task.Delay(options.UploadTimeout < LongestPause ? options.UploadTimeout : LongestPause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task TidyAsync(CancellationToken cancellationToken)
    {
        var now = await clock.NowAsync();
        var removed = folder.RemoveParts(time.GetUtcNow() - LeftoverAge);
        foreach (var owner in await records.OwnersAsync())
        {
            foreach (var id in await records.ExpiredAsync(owner, now))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (await records.DeleteAsync(owner, id) == FileDeletion.Deleted)
                    await RemoveAsync(owner, id);
            }

            foreach (var id in await records.PendingAsync(owner, now - LeftoverAge))
            {
                cancellationToken.ThrowIfCancellationRequested();
                await RemoveAsync(owner, id);
                removed++;
            }
        }

        if (removed > 0)
            LogRemoved(removed);
    }

    private async Task RemoveAsync(string owner, string id)
    {
        folder.Remove(owner, id);
        await records.GoneAsync(owner, id);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed what was left of {Count} uploads or deletions that were cut off")]
    private partial void LogRemoved(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not look for old files; trying again")]
    private partial void LogLater(Exception exception);
}
