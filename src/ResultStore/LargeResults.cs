using System.Reflection;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Stores results whose bodies are large. A body goes past the script, to a key of its own that becomes the result: Lua copies each argument
/// several times, and Redis answers nobody meanwhile.
/// </summary>
/// <param name="redis">Where.</param>
/// <param name="options">How results are kept.</param>
/// <param name="mark">What exists while somebody waits for a result.</param>
internal sealed class LargeResults(RedisConnections redis, ResultStoreOptions options, WaitMark mark)
{
    private static readonly RedisScript Put = RedisScript.Load(Assembly.GetExecutingAssembly(), "put-large");

    // That of a body whose result never follows.
    private static readonly TimeSpan LifeOfBody = TimeSpan.FromMinutes(10);

    /// <summary>Stores one, as <see cref="ResultStore.StoreAsync(JobResult)"/> does. Safe to repeat.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="result">The result.</param>
    /// <returns>Null: Redis is at its <c>maxmemory</c>, where it lets in only what goes through a script that frees something first.</returns>
    public async Task<(ResultStatus Stored, bool IsPaidTwice)?> StoreAsync(RedisKey key, JobResult result)
    {
        var meta = ResultFormat.Encode(result.Meta);
        // The hash tag puts both into one slot.
        RedisKey body = $"{options.KeyPrefix}result:{{{key}}}:body";
        RedisKey[] keys = [redis.IsCluster ? key : mark.Key, key, body];
        RedisValue[] arguments =
            [(long)options.Ttl.TotalSeconds, redis.PublishVerb, redis.IsCluster ? "1" : "0", ResultFormat.Text(result.Status), meta];
        while (await redis.RepeatedAsync(() => WriteAsync(body, meta, result.Response)).ConfigureAwait(false))
        {
            var wait = new ReplicaWait(options.Replicas, options.ReplicaTimeout);
            var answer = (RedisResult[])(await redis.RunAsync(Put, keys, arguments, wait).ConfigureAwait(false))!;
            // Where the body is gone already, it is written again.
            if (answer.Length > 0)
                return (ResultFormat.Status((string?)answer[0]), (int)answer[1] == 1);
        }

        return null;
    }

    // In this order, so that the key has its end before it is large.
    private async Task<bool> WriteAsync(RedisKey key, RedisValue meta, RedisValue body)
    {
        var connection = await redis.Once.LargeAsync().ConfigureAwait(false);
        try
        {
            await Task.WhenAll(
                connection.HashSetAsync(key, "meta", meta),
                connection.KeyExpireAsync(key, LifeOfBody),
                connection.HashSetAsync(key, "body", body)).ConfigureAwait(false);
            return true;
        }
        catch (RedisServerException e) when (RedisRetry.IsFull(e))
        {
            return false;
        }
    }
}
