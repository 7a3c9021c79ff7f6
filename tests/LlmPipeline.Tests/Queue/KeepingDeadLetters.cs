namespace LlmPipeline;

public sealed class KeepingDeadLetters
{
    [Theory, ClassData(typeof(Stores))]
    public async Task They_are_listed_page_by_page_in_the_order_of_their_burial(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 3);
        await queue.EnqueueRowsAsync(1, 30);
        await queue.BuryAllAsync();
        var all = await queue.Queue.DeadAsync(queue.Name, 0, 100);
        Assert.Equal(Enumerable.Range(1, 30), all.Select(d => d.Job!.Row).Order());
        Assert.Equal(all.Select(d => d.Buried), all.Select(d => d.Buried).Order());
        var paged = new List<string>();
        while (await queue.Queue.DeadAsync(queue.Name, paged.Count, 7) is { Count: > 0 } page)
            paged.AddRange(page.Select(d => d.Id));
        Assert.Equal(all.Select(d => d.Id), paged);
        Assert.Empty(await queue.Queue.DeadAsync(queue.Name, 0, 0));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task One_that_cannot_be_read_is_listed_and_run_again_and_purged_like_the_others(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        await queue.BuryAllAsync();
        await queue.Database.HashSetAsync(queue.Keys.Jobs, queue.Row(1).Id, "2?garbage");
        Assert.Equal([null, 2], (await queue.Queue.DeadAsync(queue.Name, 0, 10)).OrderBy(d => d.Id).Select(d => d.Job?.Row));
        Assert.Equal(2, await queue.Queue.RedriveDeadAsync(queue.Name, null));
        Assert.Equal(new BatchProgress(2, 0, 0, 0), await queue.ProgressAsync());
        var claim = await queue.ClaimAllAsync();
        await queue.Partition.BuryUnreadableAsync(claim.Unreadable);
        Assert.Equal(1, await queue.Queue.PurgeDeadAsync(queue.Name, null, null));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task All_or_some_run_again_and_their_counts_go_back(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.EnqueueRowsAsync(1, 1100);
        await queue.EnqueueAsync(queue.Single("single"));
        await queue.BuryAllAsync();
        Assert.Equal(2, await queue.Queue.RedriveDeadAsync(queue.Name, [queue.Row(1).Id, queue.Row(1).Id, "single", "unknown"]));
        Assert.Equal(new BatchProgress(1100, 0, 1099, 0), await queue.ProgressAsync());
        Assert.Equal(1099, await queue.Queue.RedriveDeadAsync(queue.Name, null));
        Assert.Equal(0, await queue.Queue.RedriveDeadAsync(queue.Name, null));
        Assert.Equal(new QueueStats(1101, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal(new BatchProgress(1100, 0, 0, 0), await queue.ProgressAsync());
        await queue.EndAllAsync(EndState.Cancelled);
        Assert.Equal(new BatchProgress(1100, 1100, 0, 0), await queue.ProgressAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Purged_ones_are_gone_and_stay_counted(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.EnqueueRowsAsync(1, 1200);
        await queue.BuryAllAsync();
        Assert.Equal(0, await queue.Queue.PurgeDeadAsync(queue.Name, null, TimeSpan.FromHours(1)));
        Assert.Equal(0, await queue.Queue.PurgeDeadAsync(queue.Name, [queue.Row(1).Id], TimeSpan.FromHours(1)));
        Assert.Equal(1, await queue.Queue.PurgeDeadAsync(queue.Name, [queue.Row(1).Id, queue.Row(1).Id, "unknown"], null));
        Assert.Equal(1199, await queue.Queue.PurgeDeadAsync(queue.Name, null, null));
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal(new BatchProgress(1200, 0, 1200, 0), await queue.ProgressAsync());
        Assert.Equal([EnqueueOutcome.Ended], await queue.EnqueueAsync(queue.Row(1)));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Only_so_many_are_kept_and_the_oldest_go(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.MaxDead = 5);
        await queue.EnqueueRowsAsync(1, 300);
        while (await queue.ClaimAsync(50) is { Count: > 0 } jobs)
            await queue.Partition.BuryAsync(jobs);

        Assert.Equal(5, (await queue.StatsAsync()).Dead);
        Assert.Equal(new BatchProgress(300, 0, 300, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task One_that_is_too_old_goes_with_the_next_burial(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        var jobs = await queue.ClaimAsync();
        await queue.BuryAsync(jobs[0]);
        await queue.BuryAsync(jobs[1]);
        await queue.Database.SortedSetAddAsync(queue.Keys.Dead, jobs[0].Job.Id, 1);
        await queue.BuryAsync(jobs[2]);
        Assert.Equal([2, 3], (await queue.Queue.DeadAsync(queue.Name, 0, 10)).Select(d => d.Job!.Row).Order());
        await OnePlace.AssertAsync(queue);
    }
}
