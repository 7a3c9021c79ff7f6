namespace LlmPipeline;

public sealed class LookingAtBatches
{
    [Theory, ClassData(typeof(Stores))]
    public async Task Progress_is_over_all_queues_and_partitions(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 3);
        var second = Stores.NewName("queue");
        await queue.Queue.Batches.SaveAsync(new BatchInfo { Id = queue.Batch, Queues = [queue.Name, second], Created = TimeProvider.System.GetUtcNow() });
        await queue.EnqueueRowsAsync(1, 40);
        await queue.Queue.EnqueueAsync([.. Enumerable.Range(41, 10).Select(r => queue.Row(r) with { Queue = second })]);
        Assert.Equal(new BatchProgress(50, 0, 0, 0), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        await queue.EndAllAsync(EndState.Cancelled);
        Assert.Equal(new BatchProgress(50, 40, 0, 0), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        Assert.Equal(new BatchProgress(0, 0, 0, 0), await queue.Queue.Batches.ProgressAsync("unknown"));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_failed_rows_are_told_from_the_others(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.SaveBatchAsync();
        await queue.EnqueueAsync([.. Enumerable.Range(1, 20).Select(r => queue.Row(r)), queue.Row(300_000)]);
        foreach (var partition in queue.Partitions)
        {
            var jobs = (await partition.ClaimAsync(500, "token", TestQueue.Worker)).Jobs;
            await partition.BuryAsync([.. jobs.Where(j => j.Job.Row % 4 == 0)]);
            await partition.CompleteAsync([.. jobs.Where(j => j.Job.Row % 4 != 0).Select(j => (j, (EndState)(j.Job.Row % 4)))]);
        }

        // 2 is expired, and every fourth was buried.
        int[] failed = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 300_000];
        Assert.Equal(failed.Select(r => (queue.Row(r).Id, r)), await queue.Queue.Batches.FailedAsync(queue.Batch));
        Assert.Empty(await queue.Queue.Batches.FailedAsync("unknown"));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Completed_rows_whose_completions_are_none_count_as_failed_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 10);
        await queue.EndAllAsync(EndState.Cancelled);
        var batch = (await queue.Queue.Batches.FindAsync(queue.Batch))!;
        (string, int)[] rows = [(queue.Row(3).Id, 3), (queue.Row(7).Id, 7), (queue.Row(11).Id, 11)];
        Assert.Equal(2, await queue.Queue.Batches.RevokeAsync(batch, rows));
        Assert.Equal(0, await queue.Queue.Batches.RevokeAsync(batch, rows));
        Assert.Equal(new BatchProgress(10, 8, 2, 0), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        Assert.Equal([3, 7], (await queue.Queue.Batches.FailedAsync(queue.Batch)).Select(row => row.Row));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Batches_are_listed_newest_first_until_their_time_is_over(Store store)
    {
        var prefix = Stores.NewName("prefix") + ":";
        var queue = await TestQueue.CreateAsync(store, o => (o.KeyPrefix, o.BatchTtl) = (prefix, TimeSpan.FromDays(1)));
        var now = TimeProvider.System.GetUtcNow();
        foreach (var (id, age) in ((string, int)[])[("b", 2), ("c", 1), ("a", 3), ("c", 1), ("old", 25)])
            await queue.Queue.Batches.SaveAsync(new BatchInfo { Id = id, Created = now.AddHours(-age) });
        Assert.Equal(["c", "b", "a"], await queue.Queue.Batches.ListAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Saving_a_batch_keeps_that_it_was_cancelled(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.SaveBatchAsync();
        Assert.False((await queue.Queue.Batches.FindAsync(queue.Batch))!.Cancelled);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        await queue.SaveBatchAsync();
        Assert.True((await queue.Queue.Batches.FindAsync(queue.Batch))!.Cancelled);
    }
}
