using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Stores one result that is large. Redis answers a value beyond its limit by closing the connection, which looks like a Redis that is
/// away: so the limit is asked for first, and where it is not reported (<c>CONFIG</c> is forbidden, or a proxy has its own), a connection
/// that is lost again and again with this result, and works in between, is a refusal.
/// </summary>
/// <remarks>
/// <c>proto-max-bulk-len</c>: <see href="https://github.com/redis/redis/blob/7.2/redis.conf"/>; the connection is closed by
/// setProtocolError in networking.c.
/// </remarks>
internal sealed class LargeResult(ResultStore results, JobResult[] result, TimeProvider time, CancellationToken giveUp)
{
    private const int MostLosses = 5;
    private int _losses;

    /// <summary>Stores it, or tries to.</summary>
    /// <exception cref="ValueRefusedException">Redis refuses it for good.</exception>
    public async Task<IReadOnlyList<(ResultStatus Stored, bool IsPaidTwice)>> StoreAsync()
    {
        if (await results.MaxBytesAsync().ConfigureAwait(false) is var most && result[0].Response.Length > most)
            throw new ValueRefusedException($"it takes {most} bytes as one value (proto-max-bulk-len)");
        try
        {
            return await results.StoreAsync(result).ConfigureAwait(false);
        }
        catch (RedisConnectionException e)
        {
            // A Redis that is away or restarts is no refusal: only what is lost while small calls are answered counts.
            await RedisRetry.UntilAnsweredAsync(() => results.FindSizeAsync(result[0].JobId), time, null, giveUp).ConfigureAwait(false);
            if (++_losses < MostLosses)
                throw;
            throw new ValueRefusedException($"the connection was lost {MostLosses} times while it was sent", e);
        }
    }
}
