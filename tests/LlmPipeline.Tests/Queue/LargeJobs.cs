using System.Globalization;

namespace LlmPipeline;

/// <summary>Jobs of megabytes: what a script reads and what a process fetches of them at a time is bounded.</summary>
public sealed class LargeJobs
{
    private const int Large = 3_000_000;

    [Fact]
    public async Task A_claim_does_not_read_what_does_not_fit()
    {
        const int Jobs = 8, Bytes = 12_000_000;
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis, o => o.Partitions = 1);
        for (var row = 1; row <= Jobs; row++)
            await queue.EnqueueAsync(OfBytes(queue, row, Bytes));
        await Eventually.HoldsAsync(
            async () => await MemoryAsync(redis, "used_memory") < (Jobs * Bytes) + 20_000_000, "what was received is free again");
        var before = await MemoryAsync(redis, "used_memory_peak");

        Assert.Equal(1, (await queue.ClaimOneAsync()).Job.Row);

        // The eight that a claim looks at first are 96 MB.
        Assert.InRange(await MemoryAsync(redis, "used_memory_peak") - before, 0, 4 * Bytes);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Due_jobs_are_made_to_wait_by_few_at_a_time_and_in_their_order(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(
            [.. Enumerable.Range(1, 5).Select(row => OfBytes(queue, row, Large) with { Delay = TimeSpan.FromHours(1) })]);
        for (var row = 1; row <= 5; row++)
            await queue.Database.SortedSetAddAsync(queue.Keys.Delayed, queue.Row(row).Id, row);

        var claim = await queue.ClaimAllAsync();

        Assert.Equal(1, Assert.Single(claim.Jobs).Job.Row);
        Assert.Equal(TimeSpan.Zero, claim.NextDue);
        Assert.Equal(4, (await queue.StatsAsync()).Delayed);
        for (var row = 2; row <= 5; row++)
            Assert.Equal(row, (await queue.ClaimOneAsync()).Job.Row);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Lost_leases_come_back_all_of_them_by_their_time_or_by_their_worker(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync([.. Enumerable.Range(1, 6).Select(row => OfBytes(queue, row, Large))]);
        var claimed = new List<ClaimedJob>();
        while (claimed.Count < 6)
            claimed.Add(await queue.ClaimOneAsync());

        await queue.ExpireAsync(claimed.Take(3));
        Assert.Equal(3, await queue.ReclaimAsync());
        await queue.LoseWorkerAsync();
        Assert.Equal(3, await queue.ReclaimAsync());

        Assert.Equal(new QueueStats(6, 0, 0, 0), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Dead_jobs_run_again_all_of_them(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync([.. Enumerable.Range(1, 5).Select(row => OfBytes(queue, row, Large))]);
        await queue.BuryAllAsync();

        var redriven = await queue.Queue.Batches.RedriveAsync(
            queue.Name, queue.Batch, [.. Enumerable.Range(1, 6).Select(row => (queue.Row(row).Id, row))]);

        Assert.Equal([true, true, true, true, true, false], redriven);
        Assert.Equal(new QueueStats(5, 0, 0, 0), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_place_of_a_job_is_reported_without_the_job(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1), queue.Row(2), queue.Row(3) with { Delay = TimeSpan.FromHours(1) });
        var running = await queue.ClaimOneAsync();
        Assert.Equal(JobState.Running, await StateAsync(running.Job.Row));
        Assert.Equal(JobState.Waiting, await StateAsync(2));
        Assert.Equal(JobState.Delayed, await StateAsync(3));
        Assert.Null(await StateAsync(4));
        await queue.BuryAsync(running);
        Assert.Equal(JobState.Dead, await StateAsync(running.Job.Row));

        Task<JobState?> StateAsync(int row) => queue.Queue.StateAsync(queue.Name, queue.Row(row).Id);
    }

    [Fact]
    public async Task A_group_of_jobs_ends_before_the_one_that_makes_it_large()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        int[] sizes = [1_000_000, 1_000_000, 16_000_000, 100, 4_200_000, 4_200_000, 100];
        var groups = new List<int[]>();
        await foreach (var group in JobGroups.OfAsync(sizes.Select((bytes, n) => OfBytes(queue, n + 1, bytes)).ToAsyncEnumerable()))
            groups.Add([.. group.Select(job => job.Row)]);
        int[][] expected = [[1, 2], [3], [4], [5], [6], [7]];
        Assert.Equal(expected, groups);
    }

    [Fact]
    public async Task A_job_that_this_Redis_does_not_take_is_refused_by_name_and_the_connection_lives()
    {
        await using var server = await RedisServer.StartAsync("--proto-max-bulk-len", "2000000");
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis, o => o.Partitions = 1);

        var refused = await Assert.ThrowsAsync<JobTooLargeException>(() => queue.EnqueueAsync(queue.Row(1), OfBytes(queue, 2, 2_500_000)));

        Assert.Equal(2, refused.Job.Row);
        Assert.Contains("proto-max-bulk-len", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, redis.Losses);
        Assert.Equal([EnqueueOutcome.Added, EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Row(1), OfBytes(queue, 2, 1_500_000)));
    }

    private static Job OfBytes(TestQueue queue, int row, int bytes) =>
        queue.Row(row) with { Work = new RequestWork { Path = "/v1/x", Body = new byte[bytes] } };

    private static async Task<long> MemoryAsync(RedisConnections redis, string field)
    {
        var info = (string)(await redis.Database.ExecuteAsync("INFO", "memory"))!;
        return long.Parse(info.Split("\r\n").First(line => line.StartsWith(field + ":", StringComparison.Ordinal))[(field.Length + 1)..], CultureInfo.InvariantCulture);
    }
}
