using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

public sealed class StoringManyAnswers
{
    [Fact]
    public async Task An_answer_that_Redis_refuses_for_good_takes_no_others_with_it()
    {
        const int Rows = 20;
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await queue.EnqueueRowsAsync(1, Rows);
        var refused = queue.Row(7).Id;
        var all = new CountdownEvent(Rows);
        var together = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var caller = new ScriptedCaller(async (job, _) =>
        {
            // A text where a hash should be.
            if (job.Id == refused)
                await queue.Redis.Database.StringSetAsync($"result:{job.Id}", "somebody's");
            if (all.Signal())
                together.SetResult();
            await together.Task;
        });
        await using var worker = new WorkerProcess(queue.Redis, queue.Queue, results, caller, new WorkerOptions { Concurrency = Rows }, TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        await Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Completed == Rows - 1, "all others are completed");
        // Nothing can be stored there, not even that: it has ended all the same, and is not called again.
        await Eventually.HoldsAsync(
            async () => await queue.Queue.StatsAsync(queue.Name) is { Dead: 1, Inflight: 0 }, "the refused one has ended");
        Assert.Equal(1, (await queue.ProgressAsync()).Failed);
        await queue.Redis.Database.KeyDeleteAsync($"result:{refused}");
    }

    [Fact]
    public async Task What_comes_while_calls_are_on_their_way_goes_together()
    {
        var calls = new List<(IReadOnlyList<int> Items, TaskCompletionSource Answer)>();
        await using var coalescer = new Coalescer<int>(3, 1, items =>
        {
            var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (calls)
                calls.Add((items, answer));
            return answer.Task;
        })
        { SizeOf = item => item, MostBytes = 100 };
        coalescer.Add(1);
        await ComesAsync(1);
        foreach (var item in (int[])[2, 3, 4, 5, 96, 200, 6])
            coalescer.Add(item);
        int[][] expected = [[1], [2, 3, 4], [5], [96], [200], [6]];
        for (var n = 0; n < expected.Length; n++)
        {
            await ComesAsync(n + 1);
            Assert.Equal(expected[n], calls[n].Items);
            calls[n].Answer.SetResult();
        }

        Task ComesAsync(int count) => Eventually.HoldsAsync(() => { lock (calls) return Task.FromResult(calls.Count == count); }, $"call {count}");
    }

    [Fact]
    public async Task Disposing_waits_until_all_is_handed_over()
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handed = 0;
        var coalescer = new Coalescer<int>(1, 2, async items =>
        {
            await answer.Task;
            Interlocked.Add(ref handed, items.Count);
        });
        for (var n = 0; n < 5; n++)
            coalescer.Add(n);
        var disposing = coalescer.DisposeAsync().AsTask();
        Assert.False(disposing.IsCompleted);
        Assert.Throws<ObjectDisposedException>(() => coalescer.Add(5));
        answer.SetResult();
        await disposing.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(5, handed);
    }
}
