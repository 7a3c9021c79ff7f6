using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>What a program needs of Redis.</summary>
/// <param name="Keys">An example of each kind of key, by the pattern that permits it.</param>
/// <param name="Channels">The same of channels.</param>
internal sealed record RedisNeeds(
    IReadOnlyList<(string Pattern, RedisKey Example)> Keys, IReadOnlyList<(string Pattern, string Example)> Channels)
{
    /// <summary>
    /// The commands, those inside scripts too, with arguments; <c>k</c> stands for a key. A test compares them with the scripts.
    /// </summary>
    public static IReadOnlyList<string> Commands { get; } =
    [
        "BITFIELD k GET u2 0", "DEL k", "EXISTS k", "EXPIRE k 1", "GET k", "GETRANGE k 0 0", "HDEL k f", "HEXISTS k f", "HGET k f",
        "HGETALL k",
        "HINCRBY k f 1", "HLEN k", "HMGET k f", "HSCAN k 0", "HSET k f v", "HSETNX k f v", "HSTRLEN k f", "LINDEX k 0", "LLEN k", "LPOP k",
        "LPOS k v", "LPUSH k v", "LRANGE k 0 0", "LREM k 0 v", "LSET k 0 v", "LTRIM k 0 -1", "PEXPIRE k 1", "PEXPIREAT k 1", "PTTL k", "RENAME k k", "RPUSH k v",
        "SADD k v", "SCARD k", "SET k v", "SETBIT k 0 0", "SETRANGE k 0 v", "SISMEMBER k v", "SMEMBERS k", "SMISMEMBER k v", "SREM k v",
        "SSCAN k 0", "STRLEN k", "ZADD k 1 v", "ZCARD k", "ZCOUNT k 0 1", "ZMSCORE k v", "ZPOPMIN k", "ZRANGE k 0 0", "ZRANGEBYSCORE k 0 1",
        "ZRANK k v", "ZREM k v", "ZREMRANGEBYSCORE k 0 0", "ZREVRANGE k 0 0", "ZREVRANK k v", "ZSCAN k 0", "ZSCORE k v",
        "EVAL return 0", "EVALSHA 0 0", "INFO", "PING", "PUBSUB NUMSUB", "TIME",
    ];
}
