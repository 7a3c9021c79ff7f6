namespace LlmPipeline;

/// <summary>Whether Redis answers, as a page for orchestrators tells it.</summary>
public static class RedisHealth
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Asks it, for two seconds at most.</summary>
    /// <returns>What is wrong; null when it answers.</returns>
    public static async Task<string?> FaultAsync(RedisConnections redis, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(redis);
        try
        {
            await redis.Once.Commands.PingAsync().WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (RedisRetry.MayPass(e) || e is TimeoutException)
        {
            return "Redis does not answer";
        }
    }
}
