using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

public sealed class FindingAStoredAnswer
{
    [Fact]
    public async Task What_it_has_cost_is_counted_by_the_worker_that_finds_it_and_nobody_is_called()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await queue.EnqueueRowsAsync(1, 2);
        await results.PutAsync(Stored(queue.Row(1), ResultStatus.Completed, 0.000_000_123m));
        await results.PutAsync(Stored(queue.Row(2), ResultStatus.Failed, 0.000_000_004m));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        await using var worker = new WorkerProcess(queue.Redis, queue.Queue, results, caller, new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        await Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Ended == 2, "both have ended");
        await worker.StopAsync();

        Assert.Equal(new BatchProgress(2, 1, 1, 0) { SpentNanos = 127 }, await queue.ProgressAsync());
        Assert.Equal([new JobCost("main", 127)], await queue.Queue.SpentAsync(queue.Name));
        Assert.Empty(endpoint.Requests);
    }

    [Fact]
    public async Task An_idle_worker_finds_it_too()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        await using var worker = new WorkerProcess(queue.Redis, queue.Queue, results, caller, new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        // Each time it sleeps again, and is told the names of what comes.
        for (var row = 1; row <= 20; row += 2)
        {
            await results.PutAsync(Stored(queue.Row(row), ResultStatus.Completed, 0.000_000_001m));
            await queue.EnqueueRowsAsync(row, row + 1);
            await Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Ended == row + 1, "both have ended");
        }

        await worker.StopAsync();
        Assert.Equal(10, endpoint.Requests.Count);
        Assert.Equal(new BatchProgress(20, 20, 0, 0) { SpentNanos = 10 }, await queue.ProgressAsync());
    }

    [Fact]
    public async Task A_look_ahead_of_the_claim_counts_only_when_it_was_answered_and_for_what_was_claimed()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await queue.EnqueueRowsAsync(1, 2);
        var held = (await queue.ClaimAsync()).Select(claim => new HeldJob(claim, queue.Partition, null!)).ToArray();
        var (first, second) = (queue.Row(1).Id, queue.Row(2).Id);
        var answer = Task.FromResult<IReadOnlyList<ResultStatus?>>([null, ResultStatus.Failed, ResultStatus.Completed]);
        Assert.Equal([ResultStatus.Completed, null], await new EarlyLook([second, "other", first], answer).OfAsync(held));
        Assert.Null(await new EarlyLook([second, "other", "another"], answer).OfAsync(held));
        Assert.Null(await new EarlyLook([first, second], Task.FromException<IReadOnlyList<ResultStatus?>>(new TimeoutException())).OfAsync(held));
    }

    /// <summary>As a worker leaves it that dies before it has settled.</summary>
    private static JobResult Stored(Job job, ResultStatus status, decimal cost) =>
        new() { JobId = job.Id, Status = status, Response = TestQueue.Body("answer"), Meta = new ResultMeta { Deployment = "main", Cost = cost } };
}
