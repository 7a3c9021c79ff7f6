namespace LlmPipeline;

public sealed class WorkingOnACluster
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Jobs_go_through_partitions_on_every_master_and_are_followed_and_counted()
    {
        var queue = await CreateAsync();
        await queue.SaveBatchAsync();
        Assert.All(await queue.EnqueueRowsAsync(1, 400), o => Assert.Equal(EnqueueOutcome.Added, o));
        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        foreach (var partition in queue.Partitions)
        {
            var jobs = (await partition.ClaimAsync(500, "token", TestQueue.Worker)).Jobs;
            Assert.Equal(jobs.Count, (await partition.ClaimAsync(500, "token", TestQueue.Worker, repeated: true)).Jobs.Count);
            Assert.All(await partition.RenewAsync(TestQueue.Worker, jobs), state => Assert.Equal(LeaseState.Held, state));
            await partition.CompleteAsync([.. jobs.Where(j => j.Job.Row % 5 > 1).Select(j => (j, EndState.Completed))]);
            await partition.BuryAsync([.. jobs.Where(j => j.Job.Row % 5 == 0)]);
            await partition.RetryAsync([.. jobs.Where(j => j.Job.Row % 5 == 1).Select(j => (j, 1, TimeSpan.Zero))]);
        }

        Assert.Equal(new QueueStats(80, 0, 0, 80), await queue.StatsAsync());
        var ids = new List<string>();
        while (await follower.ReadAsync(50) is { Count: > 0 } read)
            ids.AddRange(read);
        Assert.Equal(320, ids.Distinct().Count());
        Assert.Equal(new BatchProgress(400, 240, 80, 0), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        Assert.Equal(80, (await queue.Queue.Batches.FailedAsync(queue.Batch)).Count);
        Assert.Equal(80, await queue.Queue.RedriveDeadAsync(queue.Name, null));
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        await queue.EndAllAsync(EndState.Cancelled);
        Assert.Equal(new BatchProgress(400, 240, 0, 160), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        await OnePlace.AssertAsync(queue);
        Assert.Empty((await new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System).ExamineAsync(queue.Name, repair: false)).Findings);
        Assert.Equal(3, (await Task.WhenAll(Enumerable.Range(0, 16).Select(p => queue.Redis.Database.IdentifyEndpointAsync(new QueueKeys("", queue.Name, p).Meta)))).Distinct().Count());
    }

    [Fact]
    public async Task A_wake_up_of_each_partition_comes_through_its_shard()
    {
        var queue = await CreateAsync();
        Assert.Equal("SPUBLISH", queue.Redis.PublishVerb);
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        for (var p = 0; p < queue.Partitions.Count; p++)
        {
            var seen = wakeUps.Signal.Version;
            var id = Enumerable.Range(1, 1000).Select(n => $"{queue.Batch}-{n}").First(queue.Partitions[p].Holds);
            await queue.EnqueueAsync(queue.Single(id));
            Assert.True(await wakeUps.Signal.WaitAsync(seen, Patience, TimeProvider.System, CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_new_queue_is_heard_of_and_has_sixteen_partitions()
    {
        var redis = await RedisCluster.ConnectAsync();
        var queue = await TestQueue.CreateAsync(redis);
        await using var wakeUps = await WakeUps.ListenForQueuesAsync(redis, queue.Options);
        await queue.EnqueueRowsAsync(1, 1);
        Assert.True(await wakeUps.Signal.WaitAsync(0, Patience, TimeProvider.System, CancellationToken.None));
        Assert.Contains(queue.Name, await queue.Queue.QueuesAsync());
        Assert.Equal(16, (await queue.Queue.PartitionsAsync(queue.Name)).Count);
    }

    [Fact]
    public async Task Results_are_spread_and_whoever_waits_is_woken()
    {
        var redis = await RedisCluster.ConnectAsync();
        var results = new ResultStore(redis, new ResultStoreOptions { KeyPrefix = Stores.NewName("results") }, TimeProvider.System);
        string[] ids = [.. Enumerable.Range(1, 30).Select(n => $"job-{n}")];
        var waiting = ids.Select(id => results.WaitAsync(id)).ToList();
        foreach (var id in ids)
            await results.PutAsync(new JobResult { JobId = id, Status = ResultStatus.Completed, Response = TestQueue.Body(id), Meta = new ResultMeta() });
        Assert.Equal(ids, (await Task.WhenAll(waiting)).Select(r => r.JobId));
        Assert.All(await results.StatusesAsync(ids), status => Assert.Equal(ResultStatus.Completed, status));
        await results.DeleteAsync(ids);
        Assert.All(await results.GetAsync(ids), Assert.Null);
    }

    private static async Task<TestQueue> CreateAsync() => await TestQueue.CreateAsync(await RedisCluster.ConnectAsync(), o => o.Partitions = 4);
}
