using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Pages through a sorted set of ids.</summary>
internal static class SortedPage
{
    /// <summary>The ids of a page and, if there is one, the id after it; null when the one to go on after is not there.</summary>
    public static async Task<IReadOnlyList<string>?> ReadAsync(RedisCalls database, RedisKey set, ListQuery query)
    {
        var order = query.Ascending ? Order.Ascending : Order.Descending;
        var from = 0L;
        if (query.After is { } after)
        {
            if (await database.SortedSetRankAsync(set, after, order) is not { } rank)
                return null;
            from = rank + 1;
        }

        return [.. (await database.SortedSetRangeByRankAsync(set, from, from + query.Limit, order)).Select(id => (string)id!)];
    }
}
