namespace LlmPipeline;

[Trait("Category", "Slow")]
[Collection(nameof(Alone))]
public sealed class KillingRedis
{
    [Fact]
    public async Task Three_kills_of_redis_server_lose_nothing_that_it_accepted_and_nothing_is_paid_twice()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 60, lease: 30, redis: TestFleet.Durable);
        fleet.StartWorker();
        fleet.StartWorker();
        var slowest = TimeSpan.Zero;
        var rows = await fleet.FeedAsync(async () =>
        {
            for (var kill = 1; kill <= 3; kill++)
            {
                await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
                await fleet.Server.KillAsync();
                await fleet.Server.RestartAsync();
                // What was claimed before ends without Redis; a call beyond that is a new claim.
                var (back, calls) = (TimeProvider.System.GetTimestamp(), fleet.Llm.Stats.Calls);
                await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.Calls > calls), "the workers go on");
                var took = TimeProvider.System.GetElapsedTime(back);
                slowest = took > slowest ? took : slowest;
            }
        });

        await History.CheckAsync(fleet, rows, paidTwice: 0);
        // 2 s on a quiet machine.
        Assert.InRange(slowest, TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Running_jobs_keep_their_owners_when_Redis_was_away_for_longer_than_a_lease()
    {
        // As many as two workers send at once before the first success of a batch.
        const int Rows = 10;
        await using var fleet = await TestFleet.StartAsync(latency: 8000, lease: 3, redis: TestFleet.Durable);
        fleet.StartWorker(Rows / 2);
        fleet.StartWorker(Rows / 2);
        await fleet.EnqueueAsync(1, Rows);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Rows), "each row is called for");
        await fleet.Server.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(5));
        await fleet.Server.RestartAsync();

        await History.CheckAsync(fleet, Rows, paidTwice: 0);
        Assert.Equal(Rows, fleet.Llm.Stats.Calls);
    }
}
