using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Looks at how a Redis is set up before work is trusted to it.</summary>
public static class RedisPreflight
{
    private const long MaxValueBytes = 512L * 1024 * 1024;
    private static readonly Version Oldest = new(6, 2);

    /// <summary>
    /// What is unsafe: a version that is too old, eviction, no append-only file or one that is not flushed always, no replica. One line each, for people;
    /// nothing when all is well. What a server doesn't tell, because <c>CONFIG</c> is forbidden for example, is one line too.
    /// </summary>
    /// <param name="redis">The Redis; each master of a cluster is looked at.</param>
    public static async Task<IReadOnlyList<string>> CheckAsync(RedisConnections redis)
    {
        ArgumentNullException.ThrowIfNull(redis);
        var lines = new List<string>();
        var masters = redis.Masters().ToList();
        foreach (var server in masters)
        {
            // One server needs no name: the caller has just given it.
            var name = masters.Count == 1 ? "" : $"{server.EndPoint}: ";
            lines.AddRange((await CheckAsync(redis, server).ConfigureAwait(false)).Select(line => name + line));
        }

        return lines;
    }

    /// <summary>The smallest <c>proto-max-bulk-len</c> of the masters; 512 MiB, its default, where a server does not tell.</summary>
    internal static async Task<long> MaxValueBytesAsync(RedisConnections redis)
    {
        var least = MaxValueBytes;
        foreach (var server in redis.Masters().ToList())
        {
            try
            {
                if (long.TryParse(await ConfigAsync(redis, server, "proto-max-bulk-len").ConfigureAwait(false), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
                    least = Math.Min(least, bytes);
            }
            catch (Exception e) when (e is RedisServerException or RedisCommandException)
            {
                // CONFIG is forbidden here.
            }
        }

        return least;
    }

    private static async Task<List<string>> CheckAsync(RedisConnections redis, IServer server)
    {
        var lines = new List<string>();
        if (server.Version < Oldest)
            lines.Add($"Redis {server.Version} is too old, 6.2 is the oldest that has all commands");
        try
        {
            if (await ConfigAsync(redis, server, "maxmemory-policy").ConfigureAwait(false) is { } policy && policy != "noeviction")
                lines.Add($"maxmemory-policy is {policy}: under pressure Redis drops jobs in silence; set noeviction");
            if (await ConfigAsync(redis, server, "appendonly").ConfigureAwait(false) is { } appendOnly)
            {
                if (appendOnly != "yes")
                    lines.Add("appendonly is off: a crash of Redis loses what came after its last snapshot; set appendonly yes and appendfsync always");
                else if (await ConfigAsync(redis, server, "appendfsync").ConfigureAwait(false) is { } flush && flush != "always")
                    lines.Add($"appendfsync is {flush}: a crash of the machine loses up to a second or more of accepted jobs; set always");
            }
        }
        catch (Exception e) when (e is RedisServerException or RedisCommandException)
        {
            // Hosted servers forbid CONFIG, or some users of a server may not use it.
            lines.Add("CONFIG is not allowed here: whether Redis evicts keys and keeps an append-only file could not be checked");
        }

        if (await ReplicasAsync(redis, server).ConfigureAwait(false) == 0)
            lines.Add("no replica is connected: when this server is lost, so is the queue");
        return lines;
    }

    private static async Task<string?> ConfigAsync(RedisConnections redis, IServer server, string name)
    {
        var answer = await redis.RepeatedAsync(() => server.ExecuteAsync("CONFIG", "GET", name)).ConfigureAwait(false);
        // An empty text or no pair at all: a server that speaks the protocol and doesn't have the setting.
        return answer.Resp2Type == ResultType.Array && (string?[]?)answer is [_, { Length: > 0 } value] ? value : null;
    }

    private static async Task<int?> ReplicasAsync(RedisConnections redis, IServer server)
    {
        try
        {
            var found = (await redis.RepeatedAsync(() => server.InfoAsync("replication")).ConfigureAwait(false)).SelectMany(section => section).FirstOrDefault(line => line.Key == "connected_slaves").Value;
            return int.TryParse(found, NumberStyles.None, CultureInfo.InvariantCulture, out var replicas) ? replicas : null;
        }
        catch (Exception e) when (e is RedisServerException or RedisCommandException)
        {
            // INFO is forbidden too: nothing is known.
            return null;
        }
    }
}
