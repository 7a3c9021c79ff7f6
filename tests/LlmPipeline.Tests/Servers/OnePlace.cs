using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// What always holds between two calls: an id is in exactly one of waiting, delayed, inflight and dead, or it has ended; what is in one of them has
/// an envelope and the other way round; what is inflight has a lease with a token, and nothing else has one.
/// </summary>
internal static class OnePlace
{
    public static Task AssertAsync(TestQueue queue) => AssertAsync(queue.Database, queue.Partitions);

    public static async Task AssertAsync(IDatabase database, IEnumerable<QueuePartition> partitions)
    {
        foreach (var partition in partitions)
            await AssertAsync(database, partition.Keys);
    }

    private static async Task AssertAsync(IDatabase database, QueueKeys keys)
    {
        var places = new List<(string Place, string Id)>();
        foreach (var lane in keys.Waiting)
            places.AddRange((await database.ListRangeAsync(lane)).Where(id => id != "{}").Select(id => ("waiting", (string)id!)));
        places.AddRange((await database.SortedSetRangeByRankAsync(keys.Delayed)).Select(id => ("delayed", (string)id!)));
        places.AddRange((await database.SortedSetRangeByRankAsync(keys.Inflight)).Select(id => ("inflight", (string)id!)));
        places.AddRange((await database.SortedSetRangeByRankAsync(keys.Dead)).Select(id => ("dead", (string)id!)));
        foreach (var group in places.GroupBy(p => p.Id).Where(g => g.Count() > 1))
            Assert.Fail($"{group.Key} is in {string.Join(" and ", group.Select(p => p.Place))}");

        var envelopes = (await database.HashKeysAsync(keys.Jobs)).Select(id => (string)id!).ToHashSet();
        Assert.Equal(envelopes.Order(), places.Select(p => p.Id).Order());

        var tokens = (await database.HashGetAllAsync(keys.Leases)).ToDictionary(e => (string)e.Name!, e => ((string)e.Value!).Split('|')[0]);
        foreach (var (place, id) in places)
        {
            var token = tokens.GetValueOrDefault(id);
            Assert.True(place == "inflight" ? token is { Length: > 0 } : string.IsNullOrEmpty(token), $"{id} is {place} and has the token '{token}'");
            Assert.False(place == "dead" && token is not null, $"{id} is dead and has a lease");
        }

        Assert.Empty(tokens.Keys.Except(envelopes));
    }
}
