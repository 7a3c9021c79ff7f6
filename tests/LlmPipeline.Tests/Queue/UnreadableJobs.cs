using StackExchange.Redis;

namespace LlmPipeline;

public sealed class UnreadableJobs
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_that_cannot_be_read_comes_beside_the_others_and_is_buried_and_counted(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 5);
        await DamageAsync(queue, queue.Row(3).Id, "2?garbage");
        var claim = await queue.ClaimAllAsync();
        Assert.Equal([1, 2, 4, 5], claim.Jobs.Select(j => j.Job.Row));
        var unreadable = Assert.Single(claim.Unreadable);
        Assert.Equal((queue.Row(3).Id, queue.Name), (unreadable.Id, unreadable.Queue));
        Assert.Equal([SettleOutcome.Settled], await queue.Partition.BuryUnreadableAsync(claim.Unreadable));
        Assert.Equal([SettleOutcome.AlreadyEnded], await queue.Partition.BuryUnreadableAsync(claim.Unreadable));
        Assert.Equal(new BatchProgress(5, 0, 1, 0), await queue.ProgressAsync());
        Assert.Empty((await queue.ClaimAllAsync()).Unreadable);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_single_job_with_a_row_like_name_counts_in_no_batch(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Single(queue.Batch + ".7"));
        await DamageAsync(queue, queue.Batch + ".7", "");
        var claim = await queue.ClaimAllAsync();
        await queue.Partition.BuryUnreadableAsync(claim.Unreadable);
        Assert.Equal(new BatchProgress(0, 0, 0, 0), await queue.ProgressAsync());
        Assert.Equal(new QueueStats(0, 0, 0, 1), await queue.StatsAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task An_envelope_without_a_lane_stops_neither_reclaim_nor_redrive_nor_promotion(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.EnqueueAsync(queue.Row(2) with { Delay = TimeSpan.FromHours(1) });
        await DamageAsync(queue, queue.Row(1).Id, "9");
        await DamageAsync(queue, queue.Row(2).Id, "\0\0");
        await queue.MakeDueAsync(queue.Row(2).Id);
        var claim = await queue.ClaimAllAsync();
        Assert.Equal(2, claim.Unreadable.Count);
        foreach (var unreadable in claim.Unreadable)
            await queue.Database.SortedSetAddAsync(queue.Keys.Inflight, unreadable.Id, 1);
        Assert.Equal(2, await queue.ReclaimAsync());
        await OnePlace.AssertAsync(queue);
        await queue.Partition.BuryUnreadableAsync((await queue.ClaimAllAsync()).Unreadable);
        Assert.True(await queue.RedriveAsync(queue.Row(1)));
        Assert.Single((await queue.ClaimAllAsync()).Unreadable);
        await OnePlace.AssertAsync(queue);
    }

    private static async Task DamageAsync(TestQueue queue, string id, RedisValue envelope) => await queue.Database.HashSetAsync(queue.Keys.Jobs, id, envelope);
}
