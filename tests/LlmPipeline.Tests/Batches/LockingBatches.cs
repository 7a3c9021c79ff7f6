namespace LlmPipeline.Tests;

/// <summary><see cref="BatchLock"/>.</summary>
public sealed class LockingBatches
{
    [Fact]
    public async Task A_second_run_is_refused_while_the_first_is_live_and_not_after_it()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await using (await BatchLock.TakeAsync(queue.Queue, queue.Batch, TimeProvider.System))
        {
            var refused = await Assert.ThrowsAsync<BatchLockedException>(() => BatchLock.TakeAsync(queue.Queue, queue.Batch, TimeProvider.System));
            Assert.Contains($"process {Environment.ProcessId}", refused.Owner);
        }

        await using var next = await BatchLock.TakeAsync(queue.Queue, queue.Batch, TimeProvider.System);
    }

    [Fact]
    public async Task A_run_that_was_killed_is_waited_for_and_then_continued()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        Assert.Null(await queue.Queue.Private.LockAsync(queue.Batch, "a killed run", TimeSpan.FromSeconds(0.7)));

        await using var next = await BatchLock.TakeAsync(queue.Queue, queue.Batch, TimeProvider.System);

        Assert.NotNull(await queue.Queue.Private.LockAsync(queue.Batch, "a killed run", TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task A_run_learns_that_another_has_taken_over_and_one_whose_lock_is_only_gone_takes_it_again()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await using var held = await BatchLock.TakeAsync(queue.Queue, queue.Batch, TimeProvider.System);
        var key = QueueKeys.BatchLock("", queue.Batch);
        await queue.Database.KeyDeleteAsync(key);
        await Eventually.HoldsAsync(() => queue.Database.KeyExistsAsync(key), "the lock is taken again");

        await queue.Database.StringSetAsync(key, "another run");

        Assert.Equal("another run", await held.Lost.WaitAsync(TimeSpan.FromSeconds(30)));
    }
}
