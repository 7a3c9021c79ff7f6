namespace LlmPipeline;

public sealed class FollowingABatch
{
    [Theory, ClassData(typeof(Stores))]
    public async Task Ids_come_in_the_order_in_which_they_ended_to_each_reader_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 10);
        var early = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        Assert.Empty(await early.ReadAsync());
        Assert.Equal(new BatchProgress(10, 0, 0, 0), early.Progress);
        var jobs = await queue.ClaimAsync();
        int[] order = [3, 1, 4, 2];
        foreach (var n in order)
            await queue.CompleteAsync(jobs[n]);
        Assert.Equal(order.Select(n => jobs[n].Job.Id), await early.ReadAsync());
        await queue.BuryAsync(jobs[9]);
        await queue.CompleteAsync(jobs[8], EndState.Cancelled);
        Assert.Equal([jobs[9].Job.Id, jobs[8].Job.Id], await early.ReadAsync());
        Assert.Empty(await early.ReadAsync());
        Assert.Equal(new BatchProgress(10, 4, 1, 1), early.Progress);
        var late = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        Assert.Equal([jobs[3].Job.Id, jobs[1].Job.Id, jobs[4].Job.Id], await late.ReadAsync(3));
        Assert.Equal([jobs[2].Job.Id, jobs[9].Job.Id, jobs[8].Job.Id], await late.ReadAsync(3));
        Assert.Empty(await late.ReadAsync(0));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_was_forgotten_is_gone_and_the_reader_reads_on(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 6);
        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        var read = new List<string>();
        while (await queue.ClaimAsync(2) is { Count: > 0 } jobs)
        {
            await queue.Partition.CompleteAsync([.. jobs.Select(j => (j, EndState.Completed))]);
            read.AddRange(await follower.ReadAsync());
            await follower.ForgetAsync([]);
            await follower.ForgetAsync([]);
            Assert.Equal(0, await queue.Database.ListLengthAsync(queue.Keys.Finished(queue.Batch)));
        }

        Assert.Equal(Enumerable.Range(1, 6).Select(r => queue.Row(r).Id), read);
        Assert.Equal(new BatchProgress(6, 6, 0, 0), follower.Progress);
        var late = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        Assert.Empty(await late.ReadAsync());
        Assert.Equal(6, late.Progress.Completed);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Forgetting_keeps_what_was_not_read_yet(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 7);
        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        await queue.Partition.CompleteAsync([.. (await queue.ClaimAsync()).Select(j => (j, EndState.Completed))]);
        Assert.Equal(2, (await follower.ReadAsync(2)).Count);
        await follower.ForgetAsync([]);
        Assert.Equal(2, (await follower.ReadAsync(2)).Count);
        await follower.ForgetAsync([]);
        string[] rest = [queue.Row(5).Id, queue.Row(6).Id, queue.Row(7).Id];
        var late = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        Assert.Equal(rest.Take(2), await late.ReadAsync(2));
        Assert.Equal(rest.Skip(2), await late.ReadAsync());
        Assert.Empty(await late.ReadAsync());
        Assert.Equal(rest, await follower.ReadAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_that_was_redriven_comes_again_when_it_ends_again(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        var job = await queue.ClaimOneAsync();
        await queue.BuryAsync(job);
        Assert.Equal([job.Job.Id], await follower.ReadAsync());
        await queue.RedriveAsync(job.Job);
        Assert.Empty(await follower.ReadAsync());
        Assert.Equal(new BatchProgress(1, 0, 0, 0), follower.Progress);
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        Assert.Equal([job.Job.Id], await follower.ReadAsync());
        Assert.Equal(new BatchProgress(1, 1, 0, 0), follower.Progress);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_batch_over_several_partitions_is_read_whole(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 5);
        await queue.EnqueueRowsAsync(1, 100);
        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        foreach (var partition in queue.Partitions)
            await partition.CompleteAsync([.. (await partition.ClaimAsync(500, "token", TestQueue.Worker)).Jobs.Select(j => (j, EndState.Completed))]);
        var ids = new List<string>();
        while (await follower.ReadAsync(3) is { Count: > 0 } read)
            ids.AddRange(read);
        Assert.Equal(Enumerable.Range(1, 100).Select(r => queue.Row(r).Id).Order(), ids.Order());
        Assert.Equal(new BatchProgress(100, 100, 0, 0), follower.Progress);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task An_unknown_batch_is_empty(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        Assert.Equal(new BatchProgress(0, 0, 0, 0), await queue.ProgressAsync());
        Assert.Null(await queue.Queue.Batches.FindAsync(queue.Batch));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_a_batch_is_comes_back_as_it_was_saved_last(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var batch = new BatchInfo
        {
            Id = queue.Batch,
            Rows = 1319,
            Queues = ["gpt-4o mini", "b:c"],
            Endpoint = "https://example.org",
            Created = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123),
        };
        await queue.Queue.Batches.SaveAsync(batch);
        Assert.Equivalent(batch, await queue.Queue.Batches.FindAsync(queue.Batch), strict: true);
        await queue.Queue.Batches.SaveAsync(batch with { Sealed = true, Queues = [] });
        Assert.Equivalent(batch with { Sealed = true, Queues = [] }, await queue.Queue.Batches.FindAsync(queue.Batch), strict: true);
        Assert.NotNull(await queue.Database.KeyTimeToLiveAsync(QueueKeys.WholeBatch("", queue.Batch)));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_counts_of_a_batch_go_when_their_time_is_over(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.BatchTtl = TimeSpan.FromHours(2));
        StackExchange.Redis.RedisKey[] keys = [queue.Keys.Batch(queue.Batch), queue.Keys.Ended(queue.Batch), queue.Keys.Finished(queue.Batch)];
        await queue.EnqueueRowsAsync(1, 1);
        foreach (var key in keys.Take(2))
            Assert.InRange((await queue.Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromHours(1.9), TimeSpan.FromHours(2));
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        foreach (var key in keys)
            Assert.InRange((await queue.Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromHours(1.9), TimeSpan.FromHours(2));
    }
}
