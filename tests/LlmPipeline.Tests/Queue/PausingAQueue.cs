namespace LlmPipeline;

public sealed class PausingAQueue
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory, ClassData(typeof(Stores))]
    public async Task A_paused_queue_takes_jobs_and_gives_none(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.EnqueueRowsAsync(1, 20);
        var running = Assert.Single((await queue.Partition.ClaimAsync(1, "running", TestQueue.Worker)).Jobs);
        Assert.True(await queue.Queue.PauseAsync(queue.Name));
        Assert.True(await queue.Queue.PauseAsync(queue.Name));
        await queue.EnqueueRowsAsync(21, 30);
        foreach (var partition in queue.Partitions)
        {
            var claim = await partition.ClaimAsync(10, "token", TestQueue.Worker);
            Assert.True(claim.Paused);
            Assert.Empty(claim.Jobs);
            Assert.Null(claim.NextDue);
        }

        Assert.Equal(new QueueStats(29, 0, 1, 0) { Paused = true }, await queue.StatsAsync());
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(running));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Resuming_wakes_and_gives_jobs_again(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        await queue.Queue.PauseAsync(queue.Name);
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        Assert.True(await queue.Queue.ResumeAsync(queue.Name));
        Assert.True(await wakeUps.Signal.WaitAsync(0, Patience, TimeProvider.System, CancellationToken.None));
        var claim = await queue.ClaimAllAsync();
        Assert.False(claim.Paused);
        Assert.Equal(2, claim.Jobs.Count);
        Assert.False((await queue.StatsAsync()).Paused);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_queue_that_does_not_exist_cannot_be_paused(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        Assert.False(await queue.Queue.PauseAsync(queue.Name));
        Assert.False(await queue.Queue.ResumeAsync(queue.Name));
        await queue.EnqueueRowsAsync(1, 1);
        Assert.Single(await queue.ClaimAsync());
    }
}
