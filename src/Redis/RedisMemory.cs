using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>How full a Redis is.</summary>
internal static class RedisMemory
{
    /// <summary>The share of <c>maxmemory</c> that is used, of the fullest master; null where none has a limit, or says so.</summary>
    /// <exception cref="RedisException">Redis doesn't answer.</exception>
    public static async Task<double?> ShareAsync(RedisConnections redis)
    {
        double? share = null;
        foreach (var server in redis.Masters().ToList())
        {
            var facts = (await redis.RepeatedAsync(() => server.InfoAsync("memory")).ConfigureAwait(false))
                .SelectMany(section => section).ToLookup(fact => fact.Key, fact => fact.Value);
            if (Number("used_memory") is { } used && Number("maxmemory") is > 0 and var most)
                share = Math.Max(share ?? 0, used / most);

            double? Number(string name) =>
                double.TryParse(facts[name].FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;
        }

        return share;
    }
}
