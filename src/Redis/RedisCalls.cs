using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The commands that this program sends, on one connection. It is the only way to a database, and repeats each call as its
/// <see cref="RedisPatience"/> says; so each must be safe to repeat.
/// </summary>
public sealed class RedisCalls
{
    private readonly Func<IDatabase> _database;
    private readonly RedisConnections _redis;

    internal RedisCalls(RedisConnections redis, Func<IDatabase> database)
    {
        _redis = redis;
        _database = database;
    }

    internal Task<RedisResult> ScriptEvaluateAsync(string script, RedisKey[] keys, RedisValue[] arguments) =>
        CallAsync(database => database.ScriptEvaluateAsync(script, keys, arguments));

    internal Task<RedisResult> ExecuteAsync(string command, params object[] arguments) =>
        CallAsync(database => database.ExecuteAsync(command, arguments));

    /// <summary>Asks whether the server answers.</summary>
    public Task<TimeSpan> PingAsync() => CallAsync(static database => database.PingAsync());

    internal Task<bool> KeyDeleteAsync(RedisKey key) => CallAsync(database => database.KeyDeleteAsync(key));

    internal Task<long> KeyDeleteAsync(RedisKey[] keys) => CallAsync(database => database.KeyDeleteAsync(keys));

    internal Task<bool> KeyExistsAsync(RedisKey key) => CallAsync(database => database.KeyExistsAsync(key));

    internal Task<bool> KeyExpireAsync(RedisKey key, TimeSpan life) => CallAsync(database => database.KeyExpireAsync(key, life));

    internal Task<RedisValue> StringGetAsync(RedisKey key) => CallAsync(database => database.StringGetAsync(key));

    internal Task<RedisValue> StringGetRangeAsync(RedisKey key, long start, long end) =>
        CallAsync(database => database.StringGetRangeAsync(key, start, end));

    internal Task<bool> StringSetAsync(RedisKey key, RedisValue value, TimeSpan life, When when = When.Always) =>
        CallAsync(database => database.StringSetAsync(key, value, life, when: when));

    internal Task<bool> HashDeleteAsync(RedisKey key, RedisValue field) => CallAsync(database => database.HashDeleteAsync(key, field));

    internal Task<bool> HashExistsAsync(RedisKey key, RedisValue field) => CallAsync(database => database.HashExistsAsync(key, field));

    internal Task<RedisValue> HashGetAsync(RedisKey key, RedisValue field) => CallAsync(database => database.HashGetAsync(key, field));

    internal Task<RedisValue[]> HashGetAsync(RedisKey key, RedisValue[] fields) =>
        CallAsync(database => database.HashGetAsync(key, fields));

    internal Task<HashEntry[]> HashGetAllAsync(RedisKey key) => CallAsync(database => database.HashGetAllAsync(key));

    /// <summary>A page of a hash, and where the next begins; 0 after the last.</summary>
    internal async Task<(long Next, RedisResult[] FieldsAndValues)> HashScanAsync(RedisKey key, long cursor, int pageSize) =>
        Page(await ExecuteAsync("HSCAN", key, cursor, "COUNT", pageSize).ConfigureAwait(false));

    internal Task<bool> HashSetAsync(RedisKey key, RedisValue field, RedisValue value) =>
        CallAsync(database => database.HashSetAsync(key, field, value));

    internal Task HashSetAsync(RedisKey key, HashEntry[] entries) => CallAsync(async database =>
    {
        await database.HashSetAsync(key, entries).ConfigureAwait(false);
        return true;
    });

    internal Task<long> HashStringLengthAsync(RedisKey key, RedisValue field) =>
        CallAsync(database => database.HashStringLengthAsync(key, field));

    internal Task<RedisValue[]> ListRangeAsync(RedisKey key, long start, long stop) =>
        CallAsync(database => database.ListRangeAsync(key, start, stop));

    internal Task<bool> SetAddAsync(RedisKey key, RedisValue member) => CallAsync(database => database.SetAddAsync(key, member));

    internal Task<bool> SetRemoveAsync(RedisKey key, RedisValue member) => CallAsync(database => database.SetRemoveAsync(key, member));

    internal Task<bool> SetContainsAsync(RedisKey key, RedisValue member) => CallAsync(database => database.SetContainsAsync(key, member));

    internal Task<long> SetLengthAsync(RedisKey key) => CallAsync(database => database.SetLengthAsync(key));

    internal Task<RedisValue[]> SetMembersAsync(RedisKey key) => CallAsync(database => database.SetMembersAsync(key));

    /// <summary>A page of a set, and where the next begins; 0 after the last.</summary>
    internal async Task<(long Next, RedisResult[] Members)> SetScanAsync(RedisKey key, long cursor, int pageSize) =>
        Page(await ExecuteAsync("SSCAN", key, cursor, "COUNT", pageSize).ConfigureAwait(false));

    internal Task<bool> SortedSetAddAsync(RedisKey key, RedisValue member, double score) =>
        CallAsync(database => database.SortedSetAddAsync(key, member, score));

    internal Task<long> SortedSetLengthAsync(RedisKey key) => CallAsync(database => database.SortedSetLengthAsync(key));

    internal Task<bool> SortedSetRemoveAsync(RedisKey key, RedisValue member) =>
        CallAsync(database => database.SortedSetRemoveAsync(key, member));

    internal Task<long> SortedSetRemoveRangeByScoreAsync(RedisKey key, double start, double stop) =>
        CallAsync(database => database.SortedSetRemoveRangeByScoreAsync(key, start, stop));

    internal Task<RedisValue[]> SortedSetRangeByRankAsync(RedisKey key, long start = 0, long stop = -1, Order order = Order.Ascending) =>
        CallAsync(database => database.SortedSetRangeByRankAsync(key, start, stop, order));

    internal Task<SortedSetEntry[]> SortedSetRangeByRankWithScoresAsync(RedisKey key, long start, long stop) =>
        CallAsync(database => database.SortedSetRangeByRankWithScoresAsync(key, start, stop));

    internal Task<RedisValue[]> SortedSetRangeByScoreAsync(
        RedisKey key, double start = double.NegativeInfinity, double stop = double.PositiveInfinity, long skip = 0, long take = -1) =>
        CallAsync(database => database.SortedSetRangeByScoreAsync(key, start, stop, skip: skip, take: take));

    internal Task<SortedSetEntry[]> SortedSetRangeByScoreWithScoresAsync(RedisKey key, double start, Exclude exclude, long take) =>
        CallAsync(database => database.SortedSetRangeByScoreWithScoresAsync(key, start, exclude: exclude, take: take));

    internal Task<long?> SortedSetRankAsync(RedisKey key, RedisValue member, Order order) =>
        CallAsync(database => database.SortedSetRankAsync(key, member, order));

    internal Task<double?> SortedSetScoreAsync(RedisKey key, RedisValue member) =>
        CallAsync(database => database.SortedSetScoreAsync(key, member));

    internal Task<long> PublishAsync(RedisChannel channel, RedisValue message) =>
        CallAsync(database => database.PublishAsync(channel, message));

    private static (long Next, RedisResult[] Elements) Page(RedisResult answer)
    {
        var parts = (RedisResult[])answer!;
        return ((long)parts[0], (RedisResult[])parts[1]!);
    }

    private Task<T> CallAsync<T>(Func<IDatabase, Task<T>> call) => _redis.RepeatedAsync(() => call(_database()));
}
