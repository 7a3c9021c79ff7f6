namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class WakingWorkers
{
    /// <summary>500 times; more by the environment variable <c>TESTS_WAKE_UPS</c>.</summary>
    [Theory, InlineData(1), InlineData(8)]
    public async Task No_idle_worker_oversleeps_a_job(int workers)
    {
        var rounds = Amount.Of("TESTS_WAKE_UPS", 500);
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        await AwakeAsync(fleet, workers);
        var waits = new List<TimeSpan>();
        for (var row = workers + 1; row <= workers + rounds; row++)
        {
            var since = TimeProvider.System.GetTimestamp();
            await fleet.EnqueueAsync(row, row);
            await fleet.Results.WaitAsync(fleet.Row(row).Id);
            waits.Add(TimeProvider.System.GetElapsedTime(since));
        }

        // Who misses a wake-up looks again after 0.8 s at the soonest; some rounds are slow because the machine is.
        Assert.InRange(waits.Count(wait => wait > TimeSpan.FromSeconds(0.7)), 0, rounds / 100);
        await History.CheckAsync(fleet, workers + rounds, paidTwice: 0);
    }

    [Fact]
    public async Task A_delayed_job_is_picked_up_when_it_is_due()
    {
        const int Rounds = 10;
        var delay = TimeSpan.FromSeconds(0.3);
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        await AwakeAsync(fleet, 1);
        var late = new List<TimeSpan>();
        for (var row = 2; row <= Rounds + 1; row++)
        {
            var since = TimeProvider.System.GetTimestamp();
            await fleet.Queue.EnqueueAsync([fleet.Row(row) with { Delay = delay }]);
            await fleet.Results.WaitAsync(fleet.Row(row).Id);
            late.Add(TimeProvider.System.GetElapsedTime(since) - delay);
        }

        Assert.All(late, by => Assert.True(by > TimeSpan.Zero, "it came before it was due"));
        Assert.True(late.Order().ElementAt(Rounds / 2) < TimeSpan.FromSeconds(0.4), string.Join(' ', late));
        await History.CheckAsync(fleet, Rounds + 1, paidTwice: 0);
    }

    [Fact]
    public async Task A_retry_is_picked_up_when_it_is_due()
    {
        const int Rows = 8;
        // Longer than a worker waits with a job in its hands: each goes back to the queue once.
        await using var fleet = await TestFleet.StartAsync(latency: 300, script: [FaultKind.None, .. Enumerable.Repeat(FaultKind.Unavailable, Rows)], retryAfter: 6);
        await AwakeAsync(fleet, 1);
        await fleet.EnqueueAsync(2, Rows + 1);
        await fleet.HoldsAsync(async () => (await fleet.Queue.StatsAsync(fleet.Name)).Delayed == Rows, "each row was put off");
        var due = await fleet.Redis.Database.SortedSetRangeByRankWithScoresAsync(new QueueKeys("", fleet.Name, 0).Delayed);
        var late = new List<TimeSpan>();
        foreach (var entry in due)
            late.Add(TimeSpan.FromMilliseconds((await fleet.Results.WaitAsync((string)entry.Element!)).Meta.Started - entry.Score));

        Assert.All(late, by => Assert.True(by > TimeSpan.FromMilliseconds(-2), "it came before it was due"));
        Assert.True(late.Order().ElementAt(Rows / 2) < TimeSpan.FromSeconds(0.4), string.Join(' ', late));
        await History.CheckAsync(fleet, Rows + 1, paidTwice: 0);
    }

    [Fact]
    public async Task A_queue_that_is_resumed_is_worked_on_at_once()
    {
        const int Rounds = 20;
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        await AwakeAsync(fleet, 1);
        var waits = new List<TimeSpan>();
        for (var row = 2; row <= Rounds + 1; row++)
        {
            await fleet.Queue.PauseAsync(fleet.Name);
            await fleet.EnqueueAsync(row, row);
            // Whoever was woken by the enqueue has looked, and sleeps again.
            await Task.Delay(TimeSpan.FromMilliseconds(50));
            Assert.Equal(1, (await fleet.Queue.StatsAsync(fleet.Name)).Waiting);
            var since = TimeProvider.System.GetTimestamp();
            await fleet.Queue.ResumeAsync(fleet.Name);
            await fleet.Results.WaitAsync(fleet.Row(row).Id);
            waits.Add(TimeProvider.System.GetElapsedTime(since));
        }

        // Without a wake-up it would be up to a second, half of one as a rule.
        Assert.True(waits.Count(wait => wait > TimeSpan.FromSeconds(0.6)) <= 3, string.Join(' ', waits));
        await History.CheckAsync(fleet, Rounds + 1, paidTwice: 0);
    }

    /// <summary>Starts workers until each has run a job.</summary>
    private static async Task AwakeAsync(TestFleet fleet, int workers)
    {
        for (var worker = 1; worker <= workers; worker++)
        {
            var started = fleet.StartWorker();
            await fleet.HoldsAsync(() => Task.FromResult(started.Said.Contains("working on")), "the worker works");
            await fleet.EnqueueAsync(worker, worker);
            await fleet.EndAsync(worker);
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(16)]
    public async Task A_worker_with_free_slots_visits_every_partition(int partitions)
    {
        const int Rows = 100;
        await using var fleet = await TestFleet.StartAsync(latency: 5, partitions: partitions);
        fleet.StartWorker(4 * Rows);
        await fleet.EnqueueAsync(1, Rows);
        await History.CheckAsync(fleet, Rows, paidTwice: 0);
    }
}
