namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class StoppingWorkers
{
    [Fact]
    public async Task Workers_that_are_stopped_one_after_the_other_under_load_finish_what_they_have()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 100, lease: 30);
        var first = fleet.StartWorker(16);
        var second = fleet.StartWorker(16);
        var rows = await fleet.FeedAsync(async () =>
        {
            for (var stop = 1; stop <= 4; stop++)
            {
                var paid = fleet.Llm.Stats.Completed;
                var stopped = first;
                (first, second) = (second, fleet.StartWorker(16));
                await fleet.PaidAsync(paid + 200);
                stopped.Terminate();
                Assert.True(await stopped.ExitedAsync(TimeSpan.FromSeconds(60)) == 0, stopped.Said);
            }
        });

        await CheckAsync(fleet, rows);
        Assert.DoesNotContain("wait again", first.Said + second.Said);
    }

    [Fact]
    public async Task Calls_that_outlast_the_patience_are_given_back_at_once_and_uncharged()
    {
        const int Rows = 5;
        await using var fleet = await TestFleet.StartAsync(latency: 6000, lease: 30);
        fleet.Set("DrainTimeout", 0.5);
        var first = fleet.StartWorker(Rows);
        await fleet.EnqueueAsync(1, Rows);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Rows), "each row is called for");
        first.Terminate();
        Assert.Equal(0, await first.ExitedAsync(TimeSpan.FromSeconds(60)));
        var stats = await fleet.Queue.StatsAsync(fleet.Name);
        var second = fleet.StartWorker(Rows);

        Assert.Equal((Rows, 0), (stats.Waiting, stats.Inflight));
        await CheckAsync(fleet, Rows);
        Assert.DoesNotContain("wait again", second.Said);
    }

    [Fact]
    public async Task A_row_that_waits_for_another_try_is_given_back_at_once_and_a_call_in_flight_finishes()
    {
        // An error takes no time, an answer about five seconds.
        var endpoint = new SimulatorOptions
        {
            LatencyPerToken = TimeSpan.FromMilliseconds(200),
            CountTokens = false,
            Script = [FaultKind.TooManyRequests],
            RetryAfter = TimeSpan.FromSeconds(4),
        };
        await using var fleet = await TestFleet.StartAsync(endpoint, lease: 30);
        var worker = fleet.StartWorker();
        await fleet.EnqueueAsync(1, 2);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats is { Calls: 2, InFlight: 1 }), "one call is refused and one is in flight");
        worker.Terminate();
        Assert.Equal(0, await worker.ExitedAsync(TimeSpan.FromSeconds(60)));
        var stats = await fleet.Queue.StatsAsync(fleet.Name);

        Assert.Equal((2, 1), (fleet.Llm.Stats.Calls, fleet.Llm.Stats.Completed));
        Assert.Equal((1, 0, 0), (stats.Waiting, stats.Delayed, stats.Inflight));
        Assert.Contains("Stopped: 1 jobs finished, 1 were given back", worker.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Jobs_of_a_claim_whose_answer_is_still_on_its_way_do_not_wait_for_a_lease()
    {
        const int Rows = 40;
        await using var fleet = await TestFleet.StartAsync(latency: 50, lease: 30);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        var first = fleet.StartWorker(8, proxy);
        await fleet.HoldsAsync(() => Task.FromResult(first.Said.Contains("working on")), "the worker works");
        proxy.OnAnswer = call =>
        {
            if (call.Verb == "claim" && call.AnswerBytes > 200 && proxy.Latency == TimeSpan.Zero)
            {
                proxy.Latency = TimeSpan.FromSeconds(1);
                first.Terminate();
            }

            return true;
        };
        await fleet.EnqueueAsync(1, Rows);
        Assert.Equal(0, await first.ExitedAsync(TimeSpan.FromSeconds(60)));
        var stats = await fleet.Queue.StatsAsync(fleet.Name);
        var second = fleet.StartWorker(8);

        Assert.Equal((1, 0), (Math.Sign(stats.Waiting), stats.Inflight));
        await CheckAsync(fleet, Rows);
        Assert.DoesNotContain("wait again", second.Said);
    }

    private static async Task CheckAsync(TestFleet fleet, int rows)
    {
        await History.CheckAsync(fleet, rows, paidTwice: 0);
        Assert.All(await fleet.Results.GetAsync([.. Enumerable.Range(1, rows).Select(row => fleet.Row(row).Id)]), result => Assert.Equal(1, result!.Meta.Attempts));
    }
}
