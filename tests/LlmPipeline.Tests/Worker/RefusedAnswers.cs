using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

/// <summary>Answers that Redis takes at no time, for their size: <see cref="LargeResult"/>.</summary>
public sealed class RefusedAnswers
{
    private const int Limit = 1_100_000;

    [Theory]
    [InlineData("--proto-max-bulk-len", "1100000")]
    // It does not tell its limit: it closes the connection.
    [InlineData("--proto-max-bulk-len", "1100000", "--rename-command", "CONFIG", "")]
    public async Task Such_an_answer_is_called_for_once_and_ends_as_failed_with_a_code_of_its_own_and_its_cost(params string[] options)
    {
        await using var server = await RedisServer.StartAsync(options);
        await using var redis = await Stores.ConnectAsync(server.Address);
        // The worker's connection may be lost; who looks has one of his own.
        await using var own = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(own, o => o.Partitions = 1);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var caller = new LargeCaller(job => job.Row == 2 ? Limit + 1 : Limit - 1000);
        await queue.EnqueueRowsAsync(1, 3);
        var unstored = new List<JobResult>();
        await using var worker = new WorkerProcess(
            redis, new PromptQueue(redis, queue.Queue.Options, TimeProvider.System), results, caller, new WorkerOptions { Concurrency = 3 },
            TimeProvider.System, NullLoggerFactory.Instance);
        worker.CompletedUnstored += unstored.Add;
        await worker.StartAsync([queue.Name]);

        await Eventually.HoldsAsync(
            async () => await queue.ProgressAsync() is { Completed: 2, Failed: 1 }, "all have ended", TimeSpan.FromSeconds(60));

        Assert.Equal(3, caller.Calls);
        var refused = (await results.GetAsync(queue.Row(2).Id))!;
        Assert.Equal((ResultStatus.Failed, "answer_not_storable"), (refused.Status, refused.Meta.Error!.Code));
        Assert.Equal((7, 0.000000005m, 1), (refused.Meta.OutputTokens, refused.Meta.Cost, refused.Meta.Attempts));
        Assert.Contains($"{Limit + 1} bytes", refused.Meta.Error.Message, StringComparison.Ordinal);
        Assert.Equal(15, (await queue.ProgressAsync()).SpentNanos);
        Assert.Equal((queue.Row(2).Id, Limit + 1), (Assert.Single(unstored).JobId, unstored[0].Response.Length));
        Assert.Equal(1, (await queue.StatsAsync()).Dead);
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Held == 0), "nothing is held any more");
    }

    [Fact]
    public async Task A_Redis_that_is_away_while_a_large_answer_is_stored_refuses_nothing()
    {
        await using var server = await RedisServer.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis, o => o.Partitions = 1);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var called = new TaskCompletionSource();
        var isAway = new TaskCompletionSource();
        var caller = new LargeCaller(_ => Limit, async () =>
        {
            called.SetResult();
            await isAway.Task;
        });
        await queue.EnqueueRowsAsync(1, 1);
        await using var worker = new WorkerProcess(
            redis, queue.Queue, results, caller, new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await server.KillAsync();
        isAway.SetResult();
        for (var n = 0; n < 6; n++)
        {
            await server.RestartAsync();
            await server.KillAsync();
        }

        await server.RestartAsync();
        await Eventually.HoldsAsync(
            async () => (await results.GetAsync(queue.Row(1).Id))?.Status == ResultStatus.Completed,
            "it is stored",
            TimeSpan.FromSeconds(60));
        Assert.Equal(1, caller.Calls);
    }

    private sealed class LargeCaller(Func<Job, int> bytes, Func<Task>? call = null) : ILlmCaller
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public bool Serves(string model) => true;

        public int Room(string model) => int.MaxValue;

        public ValueTask WaitForRoomAsync(string model, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public async Task<CallOutcome> CallAsync(Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _calls);
            await (call?.Invoke() ?? Task.CompletedTask);
            return new CallOutcome
            {
                Verdict = CallVerdict.Completed,
                StatusCode = 200,
                Body = new byte[bytes(job)],
                Attempts = attempt + 1,
                Usage = new TokenUsage(3, 0, 7),
                Deployment = "one",
                Costs = [new JobCost("one", 5)],
            };
        }
    }
}
