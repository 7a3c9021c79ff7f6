using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

public sealed class BeingHandedJobs
{
    [Theory, ClassData(typeof(Stores))]
    public async Task Idle_workers_are_handed_their_jobs_and_nobody_else_is_woken(Store store)
    {
        const int Jobs = 20;
        var queue = await TestQueue.CreateAsync(store);
        var ran = new ConcurrentQueue<string>();
        await using var first = Worker(queue, (job, _) => Ran(ran, job));
        await using var second = Worker(queue, (job, _) => Ran(ran, job));
        await first.StartAsync([queue.Name]);
        await second.StartAsync([queue.Name]);
        await using var others = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        for (var row = 1; row <= Jobs; row++)
        {
            await StandAsync(queue, 2);
            await queue.EnqueueRowsAsync(row, row);
            await EndedAsync(queue, row);
        }

        Assert.Equal(Enumerable.Range(1, Jobs).Select(row => queue.Row(row).Id), ran);
        Assert.Equal(0, others.Signal.Version);
        await first.StopAsync();
        await second.StopAsync();
        Assert.Equal(0, await queue.Database.SortedSetLengthAsync(queue.Keys.Standing));
        await queue.EnqueueRowsAsync(Jobs + 1, Jobs + 1);
        Assert.Equal(1, (await queue.StatsAsync()).Waiting);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_result_that_stands_is_found_and_nobody_is_called(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        var ran = new ConcurrentQueue<string>();
        await using var worker = Worker(queue, (job, _) => Ran(ran, job));
        await worker.StartAsync([queue.Name]);
        for (var row = 1; row <= 4; row++)
        {
            if (row % 2 == 1)
                await results.PutAsync(new JobResult { JobId = queue.Row(row).Id, Status = ResultStatus.Completed, Response = TestQueue.Body("answer"), Meta = new ResultMeta() });
            await StandAsync(queue, 1);
            await queue.EnqueueRowsAsync(row, row);
            await EndedAsync(queue, row);
        }

        Assert.Equal([queue.Row(2).Id, queue.Row(4).Id], ran);
        Assert.Equal(4, (await queue.ProgressAsync()).Completed);
    }

    [Fact]
    public async Task Who_has_no_room_gives_what_it_is_handed_to_others()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var another = await TestQueue.CreateAsync(Store.RedisServer);
        var (called, end) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var busy = Worker(queue, (_, stop) =>
        {
            called.TrySetResult();
            return end.Task.WaitAsync(stop);
        });
        await busy.StartAsync([queue.Name, another.Name]);
        await StandAsync(another, 1);
        await StandAsync(queue, 1);
        // Its only slot is used for one queue; in the other its claim still stands.
        await another.EnqueueRowsAsync(1, 1);
        await called.Task;
        await queue.EnqueueRowsAsync(1, 1);
        await Eventually.HoldsAsync(async () => (await queue.StatsAsync()).Waiting == 1, "the job waits again");
        Assert.Equal(0, (await queue.ClaimOneAsync()).Lost);
        end.SetResult();
        await EndedAsync(another, 1);
    }

    [Fact]
    public async Task A_claim_of_an_earlier_process_of_the_same_name_is_not_answered()
    {
        const string Name = "worker";
        // Nothing is taken back while this test runs.
        var queue = await TestQueue.CreateAsync(Store.RedisServer, options => (options.Lease, options.WorkerTimeout) = (TimeSpan.FromHours(2), TimeSpan.FromDays(1)));
        await queue.Partition.ClaimAsync(1, "earlier", Name, stands: new StandingClaim("earlier", Name, "0f", null));
        await using var worker = Worker(queue, (_, _) => Task.CompletedTask, Name);
        await worker.StartAsync([queue.Name]);
        await StandAsync(queue, 2);
        await queue.EnqueueRowsAsync(1, 1);
        await EndedAsync(queue, 1);
    }

    [Fact]
    public async Task A_worker_stops_also_while_Redis_is_away()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 1);
        await using var worker = Worker(queue, (_, _) => Task.CompletedTask);
        await worker.StartAsync([queue.Name]);
        await EndedAsync(queue, 1);
        await StandAsync(queue, 1);
        await server.KillAsync();
        await worker.StopAsync().WaitAsync(TimeSpan.FromSeconds(60));
    }

    private static WorkerProcess Worker(TestQueue queue, Func<Job, CancellationToken, Task> call, string? name = null) => new(
        queue.Redis, queue.Queue, new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System), new ScriptedCaller(call),
        new WorkerOptions { Concurrency = 1, Name = name ?? Stores.NewName("worker") }, TimeProvider.System, NullLoggerFactory.Instance);

    private static Task Ran(ConcurrentQueue<string> ran, Job job)
    {
        ran.Enqueue(job.Id);
        return Task.CompletedTask;
    }

    private static Task StandAsync(TestQueue queue, int claims) => Eventually.HoldsAsync(
        async () => await queue.Database.SortedSetLengthAsync(queue.Keys.Standing) == claims, $"{claims} claims stand");

    private static Task EndedAsync(TestQueue queue, int rows) => Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Ended == rows, $"{rows} have ended");
}
