namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class WakingWorkers
{
    [Theory, InlineData(1), InlineData(4)]
    public async Task No_idle_worker_oversleeps_a_job(int workers)
    {
        const int Rounds = 500;
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        await AwakeAsync(fleet, workers);
        var waits = new List<TimeSpan>();
        for (var row = workers + 1; row <= workers + Rounds; row++)
        {
            var since = TimeProvider.System.GetTimestamp();
            await fleet.EnqueueAsync(row, row);
            await fleet.Results.WaitAsync(fleet.Row(row).Id);
            waits.Add(TimeProvider.System.GetElapsedTime(since));
        }

        // Who misses a wake-up looks again after 0.8 s at the soonest; some rounds are slow because the machine is.
        Assert.InRange(waits.Count(wait => wait > TimeSpan.FromSeconds(0.7)), 0, Rounds / 100);
        await History.CheckAsync(fleet, workers + Rounds, paidTwice: 0);
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
}
