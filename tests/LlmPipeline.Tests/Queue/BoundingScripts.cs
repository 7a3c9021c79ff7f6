using System.Text.RegularExpressions;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>What a script does is bounded by its arguments, whatever lies in Redis: as many commands at a million entries as at a thousand.</summary>
public sealed partial class BoundingScripts
{
    private const string Fill =
        """
        local from, to, text = tonumber(ARGV[2]), tonumber(ARGV[3]), {}
        for i = from, to do
          local id = ARGV[4] .. i
          if ARGV[1] == 'RPUSH' or ARGV[1] == 'SADD' then text[#text + 1] = id
          elseif ARGV[1] == 'ZADD' then text[#text + 1] = ARGV[5] + i text[#text + 1] = id
          else text[#text + 1] = id text[#text + 1] = ARGV[5] end
        end
        for i = 1, #text, 5000 do redis.call(ARGV[1], KEYS[1], unpack(text, i, math.min(i + 4999, #text))) end
        """;

    [Fact, Trait("Category", "Slow")]
    public async Task Each_makes_as_many_commands_at_a_million_entries_as_at_a_thousand()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var small = await CommandsAsync(redis, 1000);
        var large = await CommandsAsync(redis, 1_000_000);

        Assert.Equal(small.Keys, large.Keys);
        Assert.Equal(small.Select(verb => $"{verb.Key}: {verb.Value}"), large.Select(verb => $"{verb.Key}: {verb.Value}"));
    }

    [Fact]
    public async Task A_quota_that_nobody_has_used_for_a_day_is_asked_with_as_many_commands_as_one_that_was_used_a_minute_ago()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var counts = new List<string>();
        foreach (var idle in (TimeSpan[])[TimeSpan.FromMinutes(2), TimeSpan.FromDays(1), TimeSpan.FromDays(1000)])
        {
            var account = Stores.NewName("account");
            var slot = (TimeProvider.System.GetUtcNow() - idle).ToUnixTimeMilliseconds() / 100;
            await redis.Database.HashSetAsync(
                RedisLedger.KeyOf(account),
                [
                    new("began", (slot - 5000) * 100), new("first", slot - 603), new("at", slot * 100), new("s1", 604), new("s2", 1208),
                    .. Enumerable.Range(0, 604).SelectMany(n => new HashEntry[] { new($"1:{slot - n}", 1), new($"2:{slot - n}", 2) }),
                ]);
            var ledger = new RedisLedger(() => redis, account);
            QuotaAnswer? answer = null;
            counts.Add(await CountAsync(redis, async () => answer = await ledger.ExchangeAsync(null, Tests.SharingAQuota.Ask(default, (1, 1)))));
            // All of it has left, and what was granted now is there.
            Assert.Equal((1, new QuotaAmount(1, 1)), (answer!.Granted, answer.Used));
            var fields = (await redis.Database.HashKeysAsync(RedisLedger.KeyOf(account))).Select(field => (string)field!);
            Assert.Equal(2, fields.Count(field => field.Contains(':', StringComparison.Ordinal)));
        }

        Assert.Single(counts.Distinct());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Jobs_that_a_sweep_took_are_not_counted_and_claims_pass_over_their_places(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, options => options.MaxWaiting = 1200);
        await queue.EnqueueRowsAsync(1, 600);
        await queue.EnqueueRowsAsync(601, 1200, Lane.High);
        await queue.SaveBatchAsync();
        await queue.Queue.CancelAsync(queue.Name, [.. Enumerable.Range(1, 1200).Where(row => row % 3 != 0).Select(row => queue.Row(row).Id)]);
        var swept = new List<ClaimedJob>();
        for (var (place, from) = (0, 0L); place < 2; (place, from) = from < 0 ? (place + 1, 0) : (place, from))
        {
            (var claimed, from) = await queue.Partition.SweepAsync(queue.NewToken(), TestQueue.Worker, place, from, repeated: false);
            swept.AddRange(claimed.Jobs);
        }

        Assert.Equal(800, swept.Count);
        Assert.Equal(new QueueStats(400, 0, 800, 0), await queue.StatsAsync());
        await queue.Partition.CompleteAsync([.. swept.Select(job => (job, EndState.Cancelled))]);
        Assert.Equal(new QueueStats(400, 0, 0, 0), await queue.StatsAsync());
        // There is room for as many as were taken.
        await queue.EnqueueAsync([.. Enumerable.Range(1201, 800).Select(row => queue.Row(row))]);
        var rows = new List<int>();
        while (await queue.ClaimAsync(100) is { Count: > 0 } jobs)
        {
            rows.AddRange(jobs.Select(job => job.Job.Row));
            await queue.Partition.CompleteAsync([.. jobs.Select(job => (job, EndState.Completed))]);
        }

        Assert.Equal([.. Enumerable.Range(601, 600).Where(row => row % 3 == 0), .. Enumerable.Range(1, 600).Where(row => row % 3 == 0), .. Enumerable.Range(1201, 800)], rows);
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        Assert.False(await queue.Database.KeyExistsAsync(queue.Keys.Waiting[1]));
        Assert.True((await queue.Database.HashGetAsync(queue.Keys.Meta, ["taken1", "taken2", "taken3"]))[0].IsNull);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Whoever_waits_for_a_job_hears_of_it_where_only_emptied_places_wait(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        await queue.Queue.CancelAsync(queue.Name, [queue.Row(1).Id, queue.Row(2).Id, queue.Row(3).Id]);
        var swept = (await queue.Partition.SweepAsync("token", TestQueue.Worker, 1, 0, repeated: false)).Claimed.Jobs;
        await queue.Partition.CompleteAsync([.. swept.Select(job => (job, EndState.Cancelled))]);
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        var seen = wakeUps.Signal.Version;

        await queue.EnqueueRowsAsync(4, 4);

        Assert.True(await wakeUps.Signal.WaitAsync(seen, TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None));
        Assert.Equal(4, (await queue.ClaimOneAsync()).Job.Row);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Many_overdue_jobs_in_flight_hide_no_other(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var past = TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(5);
        await queue.EnqueueAsync([.. Enumerable.Range(1, 250).Select(row => queue.Row(row) with { Deadline = past })]);
        Assert.Equal(250, (await queue.ClaimAsync(250)).Count);
        await queue.EnqueueAsync(queue.Row(251) with { Deadline = past.AddMinutes(1) });

        var (swept, _) = await queue.Partition.SweepAsync("token", TestQueue.Worker, 1, 0, repeated: false);

        Assert.Equal(251, Assert.Single(swept.Jobs).Job.Row);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_a_claim_took_is_found_among_many_in_flight(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3000);
        for (var n = 0; n < 9; n++)
            await queue.Partition.ClaimAsync(300, $"token-{n}", TestQueue.Worker);

        var held = await queue.Partition.ClaimAsync(300, "token-4", TestQueue.Worker, repeated: true);

        Assert.Equal(Enumerable.Range(1201, 300), held.Jobs.Select(job => job.Job.Row).Order());
        Assert.Null(held.NextDue);
    }

    // Fills a queue so that each of its keys has so many entries, and runs each verb once.
    private static async Task<SortedDictionary<string, string>> CommandsAsync(RedisConnections redis, int entries)
    {
        var queue = await TestQueue.CreateAsync(redis, options => (options.Partitions, options.MaxDead) = (1, 10));
        var (keys, partition) = (queue.Keys, queue.Partition);
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await queue.SaveBatchAsync();
        await FillAsync(redis, keys.Delayed, "ZADD", entries, "later", "9000000000000");
        await CopyAsync(redis, keys.Delayed, keys.Inflight, keys.Deadlines);
        // As claims that stand look.
        await FillAsync(redis, keys.Dead, "ZADD", entries, "t|w|1000|ab|", "1000000");
        await CopyAsync(redis, keys.Dead, keys.Standing, keys.Workers, keys.Stopped);
        await FillAsync(redis, keys.Jobs, "HSET", entries, "later", "1x");
        await CopyAsync(redis, keys.Jobs, keys.Leases);
        await FillAsync(redis, keys.Cancel, "SADD", entries, "ask");
        await redis.Clock.NowAsync();
        // Where nobody listens any more to the claims that stand.
        await RunAsync("enqueue, handed", () => queue.EnqueueAsync(queue.Row(1)));
        await queue.EnqueueRowsAsync(2, 100);
        var claimed = await queue.ClaimAsync(60);
        await queue.BuryAsync(claimed[0]);
        await queue.CompleteAsync(claimed[1]);
        await FillAsync(redis, keys.Waiting[0], "RPUSH", entries / 2, "wait");
        await queue.EnqueueRowsAsync(101, 200, Lane.High);
        await FillAsync(redis, keys.Waiting[0], "RPUSH", entries / 2, "wait2-");
        await CopyAsync(redis, keys.Waiting[0], keys.Finished(queue.Batch));
        await queue.Queue.CancelAsync(queue.Name, [.. Enumerable.Range(101, 100).Select(row => queue.Row(row).Id)]);

        async Task RunAsync(string verb, Func<Task> call) => found.Add(verb, await CountAsync(redis, call));
        await RunAsync("enqueue", () => queue.EnqueueAsync(queue.Row(1001), queue.Row(1002) with { Delay = TimeSpan.FromHours(1) }));
        await RunAsync("sweep", async () => Assert.Equal(100, (await partition.SweepAsync("s", TestQueue.Worker, 0, entries / 2, false)).Claimed.Jobs.Count));
        await RunAsync("sweep, none", () => partition.SweepAsync("n", TestQueue.Worker, 1, entries / 2, false));
        await RunAsync("claim", () => queue.ClaimAllAsync(10, lane: Lane.Normal));
        await RunAsync("renew", () => partition.RenewAsync(TestQueue.Worker, claimed));
        await RunAsync("retry", () => queue.RetryAsync(claimed[2], 1, TimeSpan.FromHours(1)));
        await RunAsync("release", () => queue.ReleaseAsync(claimed[3]));
        await RunAsync("complete", () => partition.CompleteAsync([.. claimed.Skip(10).Take(10).Select(job => (job, EndState.Completed))]));
        await RunAsync("bury", () => queue.BuryAsync(claimed[4]));
        await RunAsync("redrive", () => queue.RedriveAsync(queue.Row(claimed[0].Job.Row)));
        await RunAsync("cancel", () => queue.Queue.CancelAsync(queue.Name, [queue.Row(claimed[5].Job.Row).Id]));
        await RunAsync("follow", () => partition.FollowAsync(queue.Batch, 500, "", 100));
        await RunAsync("stats", () => queue.StatsAsync());
        await RunAsync("purge", () => partition.PurgeAsync(0, 100, []));
        await RunAsync("forget", () => partition.ForgetAsync(queue.Batch, 900, []));
        await RunAsync("withdraw", () => partition.WithdrawRowsAsync(queue.Batch, [queue.Row(99).Id]));
        await RunAsync("held", () => StepAsync(QueueScripts.Held, [keys.Meta, keys.Jobs, keys.Inflight, keys.Leases, keys.Cancel, keys.Stopped], ["none", 30_000, 0, 100]));
        await RunAsync("reclaim", () => StepAsync(
            QueueScripts.Reclaim, [keys.Meta, keys.Jobs, .. keys.Waiting, keys.Inflight, keys.Leases, keys.Workers], [keys.Wake, "PUBLISH", 100, 4400, entries - 50, -1, 0]));
        await RunAsync("stop", () => StepAsync(
            QueueScripts.Stop, [keys.Meta, keys.Delayed, keys.Batch(queue.Batch), keys.Stopped], [keys.Wake, "PUBLISH", 60, 100, 0]));
        return found;

        Task StepAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments) =>
            QueueScripts.RunAsync(script, redis.Commands, queue.Name, 1, keys, [1, SchemaVersion.Of(queue.Name).Text, .. arguments]);
    }

    private static async Task CopyAsync(RedisConnections redis, RedisKey from, params RedisKey[] to)
    {
        foreach (var key in to)
            await redis.Database.KeyCopyAsync(from, key, replace: true);
    }

    private static async Task FillAsync(RedisConnections redis, RedisKey key, string verb, int entries, string prefix, string value = "")
    {
        for (var from = 1; from <= entries; from += 50_000)
            await redis.Database.ScriptEvaluateAsync(Fill, [key], [verb, from, Math.Min(entries, from + 49_999), prefix, value]);
    }

    // Commands by name, those of scripts too, but for what connections say by themselves.
    private static async Task<string> CountAsync(RedisConnections redis, Func<Task> call)
    {
        var before = await StatsAsync(redis);
        await call();
        return string.Join(' ', (await StatsAsync(redis)).Where(now => now.Value != before.GetValueOrDefault(now.Key)).Select(now => $"{now.Key}={now.Value - before.GetValueOrDefault(now.Key)}"));
    }

    private static async Task<SortedDictionary<string, long>> StatsAsync(RedisConnections redis) => new(
        CommandStat().Matches((string)(await redis.Database.ExecuteAsync("INFO", "commandstats"))!)
            .Where(match => match.Groups[1].Value is not ("info" or "ping" or "echo" or "client" or "config" or "hello" or "cluster" or "subscribe" or "script|load" or "eval" or "evalsha"))
            .ToDictionary(match => match.Groups[1].Value, match => long.Parse(match.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture)), StringComparer.Ordinal);

    [GeneratedRegex(@"cmdstat_([^:]+):calls=(\d+)")]
    private static partial Regex CommandStat();
}
