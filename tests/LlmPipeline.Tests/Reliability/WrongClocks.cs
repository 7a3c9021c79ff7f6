namespace LlmPipeline;

/// <summary>Workers whose clocks are wrong, next to ones whose clocks are right: nothing shows it but the times that they write.</summary>
[Trait("Category", "Slow")]
public sealed class WrongClocks
{
    private static readonly TimeSpan Off = TimeSpan.FromMinutes(10);

    [Theory, InlineData(10), InlineData(-10)]
    public async Task Leases_are_held_lost_and_reclaimed_as_ever(int minutes)
    {
        const int Concurrency = 5;
        await using var fleet = await TestFleet.StartAsync(latency: 4000, lease: 3);
        var clock = await WrongClock.OfAsync(minutes);
        var wrong = fleet.StartWorker(Concurrency, clock: clock);
        await fleet.EnqueueAsync(1, Concurrency);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Concurrency), "the worker with the wrong clock has called for each row");
        var right = fleet.StartWorker(Concurrency);
        await fleet.EndAsync(Concurrency);
        await HasWrongClockAsync(fleet, 1, minutes);
        Assert.DoesNotContain("wait again", wrong.Said + right.Said);
        Assert.Equal(Concurrency, fleet.Llm.Stats.Calls);

        // Each takes what the other held when it died.
        right.Kill();
        await fleet.EnqueueAsync(Concurrency + 1, 2 * Concurrency);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Concurrency), "the worker with the wrong clock has called again");
        wrong.Kill();
        right = fleet.StartWorker(Concurrency);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Concurrency && right.Said.Contains("wait again")), "the right one has taken them over");
        right.Kill();
        fleet.StartWorker(Concurrency, clock: clock);
        await History.CheckAsync(fleet, 2 * Concurrency, paidTwice: 2 * Concurrency);
    }

    [Theory, InlineData(10), InlineData(-10)]
    public async Task Delays_retries_and_deadlines_take_as_long_as_they_should(int minutes)
    {
        // The first call is never answered; the second is put off for longer than a worker waits itself, so it goes back to the queue.
        await using var fleet = await TestFleet.StartAsync(latency: 0, script: [FaultKind.Hang, FaultKind.Unavailable], retryAfter: 6);
        fleet.StartWorker(8, clock: await WrongClock.OfAsync(minutes));
        var since = TimeProvider.System.GetTimestamp();
        await fleet.Queue.EnqueueAsync([fleet.Row(1) with { Deadline = TimeProvider.System.GetUtcNow().AddSeconds(20) }]);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.Calls == 1), "the call that hangs");
        var putOff = TimeProvider.System.GetTimestamp();
        await fleet.EnqueueAsync(2, 2);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.Calls == 2), "the call that is put off");
        var now = TimeProvider.System.GetUtcNow();
        await fleet.Queue.EnqueueAsync([
            fleet.Row(3) with { Delay = TimeSpan.FromSeconds(2) }, fleet.Row(4) with { Deadline = now.AddMinutes(5) }, fleet.Row(5) with { Deadline = now.AddMinutes(-5) }]);

        Assert.Equal(ResultStatus.Completed, (await EndOfAsync(fleet, 3)).Status);
        Assert.InRange(TimeProvider.System.GetElapsedTime(since), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(60));
        Assert.Equal(ResultStatus.Completed, (await EndOfAsync(fleet, 2)).Status);
        Assert.InRange(TimeProvider.System.GetElapsedTime(putOff), TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(60));
        Assert.Equal(ResultStatus.Completed, (await EndOfAsync(fleet, 4)).Status);
        Assert.Equal(ResultStatus.Expired, (await EndOfAsync(fleet, 1)).Status);
        Assert.InRange(TimeProvider.System.GetElapsedTime(since), TimeSpan.FromSeconds(19), TimeSpan.FromSeconds(60));
        Assert.Equal(ResultStatus.Expired, (await EndOfAsync(fleet, 5)).Status);
        await HasWrongClockAsync(fleet, 2, minutes);
        await fleet.EndAsync(5);
        Assert.Equal(new BatchProgress(5, 3, 2, 0), await fleet.ProgressAsync());
    }

    [Fact]
    public async Task A_deadline_that_a_submitter_with_a_wrong_clock_gives_is_kept()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        var time = new SetTime(TimeProvider.System.GetUtcNow() + Off);
        await using var redis = await RedisConnections.ConnectAsync(RedisAddress.Parse(fleet.Server.Address), time);
        var ahead = new PromptQueue(redis, new PromptQueueOptions(), time);
        await ahead.EnqueueAsync([fleet.Row(1) with { Deadline = time.GetUtcNow().AddMinutes(-1) }, fleet.Row(2) with { Deadline = time.GetUtcNow().AddMinutes(1) }]);
        fleet.StartWorker();

        Assert.Equal(ResultStatus.Expired, (await EndOfAsync(fleet, 1)).Status);
        var second = await EndOfAsync(fleet, 2);
        Assert.Equal(ResultStatus.Completed, second.Status);
        Assert.InRange(second.Meta.Finished - second.Meta.Enqueued, 0, 60_000);
    }

    [Fact]
    public async Task A_worker_ahead_drains_when_it_is_asked_to_stop()
    {
        const int Rows = 5;
        await using var fleet = await TestFleet.StartAsync(latency: 2000);
        var wrong = fleet.StartWorker(Rows, clock: await WrongClock.OfAsync(10));
        await fleet.EnqueueAsync(1, Rows);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Rows), "each row is called for");
        wrong.Terminate();
        Assert.Equal(0, await wrong.ExitedAsync(TimeSpan.FromSeconds(60)));

        await History.CheckAsync(fleet, Rows, paidTwice: 0);
        Assert.Equal(Rows, fleet.Llm.Stats.Calls);
        await HasWrongClockAsync(fleet, 1, 10);
    }

    private static Task<JobResult> EndOfAsync(TestFleet fleet, int row) => fleet.Results.WaitAsync(fleet.Row(row).Id).WaitAsync(TimeSpan.FromSeconds(60));

    /// <summary>What a worker writes into its results it has from its own clock.</summary>
    private static async Task HasWrongClockAsync(TestFleet fleet, int row, int minutes)
    {
        var meta = (await fleet.Results.GetAsync(fleet.Row(row).Id))!.Meta;
        Assert.InRange(TimeSpan.FromMilliseconds(meta.Finished - meta.Enqueued).TotalMinutes, minutes - 2, minutes + 2);
    }

    /// <summary>A clock that shows another time; its timers are the machine's.</summary>
    private sealed class SetTime(DateTimeOffset now) : TimeProvider
    {
        private readonly TimeSpan _off = now - System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _off;
    }
}
