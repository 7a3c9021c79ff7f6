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

    /// <summary>As a worker leaves it that dies before it has settled.</summary>
    private static JobResult Stored(Job job, ResultStatus status, decimal cost) =>
        new() { JobId = job.Id, Status = status, Response = TestQueue.Body("answer"), Meta = new ResultMeta { Deployment = "main", Cost = cost } };
}
