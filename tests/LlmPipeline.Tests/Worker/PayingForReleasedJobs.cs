using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

/// <summary>What a <see cref="JobRunner"/> makes of a claim that has cost something and ends without a result.</summary>
public sealed class PayingForReleasedJobs
{
    [Fact]
    public async Task A_job_that_goes_back_uncharged_has_its_paid_calls_in_the_sum_of_its_batch()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await queue.EnqueueRowsAsync(1, 1);
        var caller = new ReleasingCaller();

        await using var worker = new WorkerProcess(
            queue.Redis,
            queue.Queue,
            results,
            caller,
            new WorkerOptions { Concurrency = 1 },
            TimeProvider.System,
            NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        await Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Completed == 1, "the row is completed");

        Assert.Equal(70 + 5, (await queue.ProgressAsync()).SpentNanos);
        Assert.Equal(JobCost.Amount(70 + 5), (await results.GetAsync(queue.Row(1).Id))!.Meta.Cost);
        // No attempt was charged for the first claim.
        Assert.Equal([0, 0], caller.Attempts);
    }

    private sealed class ReleasingCaller : ILlmCaller
    {
        public List<int> Attempts { get; } = [];

        public bool Serves(string model) => true;

        public int Room(string model) => int.MaxValue;

        public ValueTask WaitForRoomAsync(string model, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public string? ClosedReason(string model) => null;

        public Task<CallOutcome> CallAsync(Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken)
        {
            Attempts.Add(attempt);
            return Task.FromResult(Attempts.Count == 1
                ? new CallOutcome { Verdict = CallVerdict.Release, Attempts = attempt + 1, Costs = [new JobCost("one", 70)] }
                : new CallOutcome
                {
                    Verdict = CallVerdict.Completed,
                    StatusCode = 200,
                    Body = TestQueue.Body("answer"),
                    Attempts = attempt + 1,
                    Costs = [new JobCost("one", 5)],
                });
        }
    }
}
