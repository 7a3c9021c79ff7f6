using Xunit.Abstractions;

namespace LlmPipeline;

/// <summary>A master of a cluster dies under load, and its replica takes over without what it had not heard yet.</summary>
[Trait("Category", "Slow")]
public sealed class FailingOver(ITestOutputHelper output)
{
    private const int Concurrency = 8;
    private const int Workers = 2;

    [Fact]
    public async Task Writes_that_wait_for_a_replica_are_not_lost()
    {
        var cluster = await StartClusterAsync();
        await using var fleet = await TestFleet.StartAsync(cluster, replicas: 1);
        var follower = await fleet.Queue.Batches.FollowAsync(fleet.Batch, [fleet.Name]);
        var told = new HashSet<string>();
        var (rows, _) = await FailOverAsync(fleet, cluster, 30, async () => told.UnionWith(await follower.ReadAsync()));

        await History.CheckAsync(fleet, rows, Workers * Concurrency);
        for (var ids = await follower.ReadAsync(); ids.Count > 0; ids = await follower.ReadAsync())
            told.UnionWith(ids);
        Assert.Equal(rows, told.Count);
        output.WriteLine($"{rows} rows, {fleet.Llm.Stats.PaidTwice} paid twice");
    }

    [Fact]
    public async Task What_asynchronous_replication_loses_is_found_by_submitting_again()
    {
        var cluster = await StartClusterAsync();
        await using var fleet = await TestFleet.StartAsync(cluster, replicas: 0);
        var (rows, unheard) = await FailOverAsync(fleet, cluster, 120, () => Task.CompletedTask);
        await fleet.HoldsAsync(async () => await fleet.Queue.StatsAsync(fleet.Name) is { Waiting: 0, Delayed: 0, Inflight: 0 }, "what is left has ended");
        var jobs = Enumerable.Range(1, rows).Select(row => fleet.Row(row)).ToList();
        var ended = (await fleet.ProgressAsync()).Ended;
        var stored = await fleet.Results.StatusesAsync([.. jobs.Select(job => job.Id)]);
        output.WriteLine($"of {rows} accepted rows {rows - ended} have not ended, {stored.Count(s => s is null)} have no result; {unheard} calls were paid while the replica heard nothing; {fleet.Llm.Stats.PaidTwice} paid twice");
        // Else this test shows nothing.
        Assert.NotEqual(0, rows - ended + stored.Count(s => s is null));

        await fleet.Queue.EnqueueAsync(jobs);
        await fleet.EndAsync(rows);
        stored = await fleet.Results.StatusesAsync([.. jobs.Select(job => job.Id)]);
        await fleet.Queue.EnqueueAsync([.. jobs.Where((_, n) => stored[n] is null)], rerunEnded: true);
        await History.CheckAsync(fleet, rows, (Workers * Concurrency) + unheard, repeats: true);
    }

    private static Task<RedisCluster> StartClusterAsync() => RedisCluster.StartAsync(3, 1, "--cluster-node-timeout", "1500");

    /// <summary>Feeds rows, cuts a replica off, kills its master a little later, and goes on until the replica has taken over and the rows end again.</summary>
    /// <returns>How many rows were accepted, and how many calls were paid while the replica heard nothing.</returns>
    private static async Task<(int Rows, int Unheard)> FailOverAsync(TestFleet fleet, RedisCluster cluster, int unheardCalls, Func<Task> meanwhile)
    {
        var unheard = 0L;
        for (var n = 0; n < Workers; n++)
            fleet.StartWorker(Concurrency);
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(200);
            await meanwhile();
            var partitions = await fleet.Queue.PartitionsAsync(fleet.Name);
            var (master, replica) = await cluster.HolderAsync(partitions[0].Keys.Meta.ToString());
            var before = fleet.Llm.Stats.Completed;
            replica.Freeze();
            await RedisCluster.AskAsync(master, "client", "kill", "type", "replica");
            await fleet.PaidAsync(before + unheardCalls);
            await master.KillAsync();
            unheard = fleet.Llm.Stats.Completed - before;
            replica.Thaw();
            await fleet.HoldsAsync(async () => (await RedisCluster.AskAsync(replica, "role")).StartsWith("master", StringComparison.Ordinal), "the replica has taken over");
            // Writes that wait for a replica need one: the server that died comes back as such.
            await master.RestartAsync();
            await fleet.PaidAsync(fleet.Llm.Stats.Completed + 300);
            await meanwhile();
        });
        return (rows, (int)unheard);
    }
}
