using StackExchange.Redis;

namespace LlmPipeline;

public sealed class SurvivingResults
{
    [Fact, Trait("Category", "Slow")]
    public async Task The_embedded_store_keeps_a_queue_while_hundreds_of_thousands_of_result_keys_come_and_go()
    {
        var queue = await TestQueue.CreateAsync(Store.Embedded);
        await queue.EnqueueRowsAsync(1, 3);
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        await queue.Queue.Batches.SaveAsync(new BatchInfo { Id = queue.Batch, Rows = 3 });
        await queue.Queue.SavePromptAsync(queue.Name, "f", new Dictionary<string, ReadOnlyMemory<byte>> { ["a"] = new byte[10] });
        var body = new byte[400];
        for (var n = 0; n < 300_000; n += 2_000)
        {
            RedisKey[] keys = [.. Enumerable.Range(n, 2_000).Select(k => (RedisKey)$"result:{queue.Batch}.{k}")];
            await Task.WhenAll(keys.Select(k => queue.Database.HashSetAsync(k, [new HashEntry("status", "completed"), new HashEntry("body", body)])));
            await Task.WhenAll(keys.Select(k => queue.Database.KeyDeleteAsync(k)));
        }

        Assert.Equal("1", (string?)await queue.Database.HashGetAsync(queue.Keys.Meta, "partitions"));
        Assert.Contains(queue.Name, await queue.Queue.QueuesAsync());
        Assert.NotNull(await queue.Queue.Batches.FindAsync(queue.Batch));
        Assert.NotNull(await queue.Queue.LoadPromptAsync(queue.Name));
        Assert.Equal(new BatchProgress(3, 1, 0, 0), await queue.ProgressAsync());
        Assert.Equal([EnqueueOutcome.Ended, EnqueueOutcome.AlreadyThere], await queue.EnqueueAsync(queue.Row(1), queue.Row(2)));
        Assert.Equal([2, 3], (await queue.ClaimAsync()).Select(j => j.Job.Row));
        await OnePlace.AssertAsync(queue);
    }
}
