using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>One partition as text: what lies where, in the order in which it leaves.</summary>
internal static class QueueSnapshot
{
    private static readonly TimeSpan Recent = TimeSpan.FromHours(1);

    /// <summary>The text, which the model writes by the same method.</summary>
    public static string Write(
        IReadOnlyList<IEnumerable<string>> waiting, IEnumerable<string> due, IEnumerable<string> later, IEnumerable<string> expired, IEnumerable<string> held,
        IEnumerable<string> dead, IEnumerable<string> jobs, IEnumerable<string> leases, IEnumerable<string> asked, IEnumerable<string> stopped, IEnumerable<string> deadlines, IEnumerable<string> standing, bool paused,
        IEnumerable<(string Name, string Counts, IEnumerable<string> Ended, IEnumerable<string> Finished)> batches)
    {
        var text = new StringBuilder();
        void Line(string name, IEnumerable<string> values) => text.Append(name).Append(": ").AppendJoin(' ', values).Append('\n');
        for (var lane = 0; lane < waiting.Count; lane++)
            Line($"waiting {(Lane)lane}", waiting[lane]);
        Line("due", due);
        Line("later", later.Order(StringComparer.Ordinal));
        Line("expired", expired);
        Line("held", held);
        Line("dead", dead);
        Line("jobs", jobs.Order(StringComparer.Ordinal));
        Line("leases", leases.Order(StringComparer.Ordinal));
        Line("asked", asked.Order(StringComparer.Ordinal));
        Line("stopped", stopped.Order(StringComparer.Ordinal));
        Line("deadlines", deadlines.Order(StringComparer.Ordinal));
        Line("standing", standing);
        Line("paused", [$"{paused}"]);
        foreach (var (name, counts, ended, finished) in batches)
        {
            Line($"batch {name}", [counts]);
            Line("ended", ended);
            Line("finished", finished);
        }

        return text.ToString();
    }

    /// <summary>Reads a partition whose jobs nobody else touches.</summary>
    public static async Task<string> ReadAsync(RedisConnections connections, QueueKeys keys, IEnumerable<string> batches)
    {
        var redis = connections.Database;
        var now = TimeProvider.System.GetUtcNow();
        var waiting = keys.Waiting.Select(lane => redis.ListRangeAsync(lane)).ToList();
        var delayed = redis.SortedSetRangeByRankWithScoresAsync(keys.Delayed);
        var inflight = redis.SortedSetRangeByRankWithScoresAsync(keys.Inflight);
        var dead = redis.SortedSetRangeByRankWithScoresAsync(keys.Dead);
        var jobs = redis.HashKeysAsync(keys.Jobs);
        var leases = redis.HashGetAllAsync(keys.Leases);
        var asked = redis.SetMembersAsync(keys.Cancel);
        var stopped = redis.SortedSetRangeByRankAsync(keys.Stopped);
        var deadlines = redis.SortedSetRangeByRankAsync(keys.Deadlines);
        var standing = redis.SortedSetRangeByRankAsync(keys.Standing);
        var paused = redis.HashExistsAsync(keys.Meta, "paused");
        var rows = batches.Select(name => (Name: name, Fields: redis.HashGetAllAsync(keys.Batch(name)), Finished: redis.ListRangeAsync(keys.Finished(name)), Ended: EndedAsync(connections.Commands, keys.Ended(name)))).ToList();
        var written = new List<(string, string, IEnumerable<string>, IEnumerable<string>)>();
        foreach (var (name, fields, finished, ended) in rows)
        {
            var counts = (await fields).ToStringDictionary();
            string Number(string field) => counts.GetValueOrDefault(field, "0");
            written.Add((name, $"{Number("expected")} {Number("completed")} {Number("failed")} {Number("cancelled")} {counts.ContainsKey("stop")}", await ended, Texts(await finished)));
        }

        // What has a time must have it in the past, or well in the future: nothing comes due by itself while a case runs.
        bool Past(SortedSetEntry entry) => Time(entry) <= now + TimeSpan.FromSeconds(1);
        Assert.All((await delayed).Concat(await inflight), entry => Assert.True(Past(entry) || Time(entry) > now + TimeSpan.FromMinutes(10), $"{entry.Element} is due at {Time(entry)}"));
        Assert.All(await dead, entry => Assert.True(Past(entry) && Time(entry) > now - TimeSpan.FromDays(1) - Recent, $"{entry.Element} was buried at {Time(entry)}"));
        return Write(
            [.. (await Task.WhenAll(waiting)).Select(lane => Texts([.. lane.Where(id => id != "{}")]))],
            Ids((await delayed).Where(Past)), Ids((await delayed).Where(e => !Past(e))),
            Ids((await inflight).Where(Past)), Ids((await inflight).Where(e => !Past(e))),
            Ids(await dead), Texts(await jobs), (await leases).Select(lease => lease.ToString().Replace(": ", "=")),
            Texts(await asked), Texts(await stopped), Texts(await deadlines), Texts(await standing).Select(claim => claim.Split('|')[0]), await paused, written);
    }

    /// <summary>Gives everything that has a time one of its own, in the model's order, so that what comes next does not fall into the same millisecond.</summary>
    public static async Task SpreadAsync(IDatabase redis, QueueKeys keys, ModelPartition model)
    {
        var now = TimeProvider.System.GetUtcNow();
        await Task.WhenAll(
            PutAsync(keys.Delayed, model.Due, DateTimeOffset.UnixEpoch),
            PutAsync(keys.Standing, [.. model.Standing.Select(claim => ModelPartition.Claim(claim.Token, claim.Worker).Member(ModelRun.LeaseMilliseconds))], now - TimeSpan.FromSeconds(0.1)),
            PutAsync(keys.Inflight, model.Expired, DateTimeOffset.UnixEpoch),
            PutAsync(keys.Inflight, model.Held, now + TimeSpan.FromHours(1)),
            PutAsync(keys.Dead, model.Dead, now - TimeSpan.FromDays(1)));

        Task PutAsync(RedisKey key, IReadOnlyList<string> ids, DateTimeOffset from) => ids.Count == 0
            ? Task.CompletedTask
            : redis.SortedSetAddAsync(key, [.. ids.Select((id, n) => new SortedSetEntry(id, from.ToUnixTimeMilliseconds() + n + 1))]);
    }

    private static DateTimeOffset Time(SortedSetEntry entry) => DateTimeOffset.FromUnixTimeMilliseconds((long)entry.Score);

    private static IEnumerable<string> Ids(IEnumerable<SortedSetEntry> entries) => entries.Select(entry => (string)entry.Element!);

    private static IEnumerable<string> Texts(RedisValue[] values) => values.Select(value => (string)value!);

    private static async Task<IEnumerable<string>> EndedAsync(RedisCalls redis, RedisKey map)
    {
        var rows = new List<string>();
        await EndedRows.EachAsync(redis, map, (row, state) => rows.Add($"{row}={(int)state}"));
        return rows;
    }
}
