namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class KeepingToTheQuotaOfAFleet
{
    [Fact]
    public async Task Four_workers_that_know_no_limit_find_it_share_it_and_use_it_up()
    {
        const int perMinute = 1200;
        await using var fleet = await TestFleet.StartAsync(latency: 200);
        fleet.Llm.SetLimits(perMinute, null);
        for (var worker = 0; worker < 4; worker++)
            fleet.StartWorker(concurrency: 16);
        var used = 0.0;
        await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(20);
            // Twenty seconds of the judge's time, whatever this machine makes of them.
            var (clock, before) = (System.Diagnostics.Stopwatch.StartNew(), fleet.Llm.Stats);
            await Task.Delay(TimeSpan.FromSeconds(20));
            used = (fleet.Llm.Stats.CountedRequests - before.CountedRequests) / (perMinute / 60.0 * clock.Elapsed.TotalSeconds);
        });
        // 98 % is what bench measures on a quiet machine; a loaded one must not make this fail.
        Assert.InRange(used, 0.75, 1.3);
        Assert.InRange(fleet.Llm.Stats.Refused, 0, fleet.Llm.Stats.Calls / 50);
    }
}
