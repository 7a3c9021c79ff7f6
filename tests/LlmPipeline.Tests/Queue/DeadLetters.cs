namespace LlmPipeline;

public sealed class DeadLetters
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_buried_job_is_counted_once_and_keeps_its_envelope(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = await queue.ClaimOneAsync();
        Assert.Equal(SettleOutcome.Settled, await queue.BuryAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.BuryAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.ReleaseAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.RetryAsync(job, 1, TimeSpan.Zero));
        Assert.Equal(new BatchProgress(1, 0, 1, 0), await queue.ProgressAsync());
        Assert.Equal(new QueueStats(0, 0, 0, 1), await queue.StatsAsync());
        Assert.True(await queue.Database.HashExistsAsync(queue.Keys.Jobs, job.Job.Id));
        Assert.Empty(await queue.ClaimAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_redriven_job_is_out_of_the_counts_and_starts_afresh(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var job = await queue.ClaimOneAsync();
        await queue.RetryAsync(job, 7, TimeSpan.Zero);
        job = await queue.ClaimOneAsync();
        await queue.ExpireAsync(job);
        await queue.ReclaimAsync();
        job = await queue.ClaimOneAsync();
        await queue.BuryAsync(job);
        Assert.True(await queue.RedriveAsync(job.Job));
        Assert.False(await queue.RedriveAsync(job.Job));
        Assert.Equal(new BatchProgress(2, 0, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
        Assert.Equal([2, 1], (await queue.ClaimAsync()).Select(j => j.Job.Row));
        await queue.ExpireAsync(job);
        await queue.ReclaimAsync();
        var again = await queue.ClaimOneAsync();
        Assert.Equal((1, 0, 1), (again.Job.Row, again.Attempts, again.Lost));
        await queue.BuryAsync(again);
        Assert.Equal(new BatchProgress(2, 0, 1, 0), await queue.ProgressAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Only_what_is_dead_is_redriven_over_all_partitions(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 3);
        await queue.EnqueueRowsAsync(1, 700);
        var dead = new HashSet<int>();
        foreach (var partition in queue.Partitions)
        {
            while ((await partition.ClaimAsync(500, queue.NewToken(), TestQueue.Worker)).Jobs is { Count: > 0 } jobs)
            {
                await partition.BuryAsync([.. jobs.Where(j => j.Job.Row % 7 != 0)]);
                await partition.CompleteAsync([.. jobs.Where(j => j.Job.Row % 7 == 0).Select(j => (j, EndState.Completed))]);
                dead.UnionWith(jobs.Where(j => j.Job.Row % 7 != 0).Select(j => j.Job.Row));
            }
        }

        var answers = await queue.Queue.Batches.RedriveAsync(queue.Name, queue.Batch, [.. Enumerable.Range(1, 750).Select(r => (queue.Row(r).Id, r))]);
        Assert.Equal(Enumerable.Range(1, 750).Select(dead.Contains), answers);
        Assert.Equal(new QueueStats(600, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal(new BatchProgress(700, 100, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Forgotten_dead_letters_are_gone_and_still_counted(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.EnqueueRowsAsync(1, 20);
        foreach (var partition in queue.Partitions)
            await partition.BuryAsync((await partition.ClaimAsync(500, "token", TestQueue.Worker)).Jobs);
        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name, Stores.NewName("another")]);
        var ids = await follower.ReadAsync();
        await follower.ForgetAsync([.. ids.Where(id => id != queue.Row(1).Id)]);
        Assert.Equal(new QueueStats(0, 0, 0, 1), await queue.StatsAsync());
        Assert.Equal(new BatchProgress(20, 0, 20, 0), await queue.ProgressAsync());
        Assert.Equal([EnqueueOutcome.Ended, EnqueueOutcome.Ended], await queue.EnqueueAsync(queue.Row(1), queue.Row(2)));
        await OnePlace.AssertAsync(queue);
    }
}
