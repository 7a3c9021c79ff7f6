namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class FreezingAWorker
{
    [Fact]
    public async Task A_zombie_neither_settles_nor_extends_and_says_so()
    {
        const int Rows = 5;
        await using var fleet = await TestFleet.StartAsync(latency: 3000, lease: 3);
        var zombie = fleet.StartWorker(Rows);
        await fleet.EnqueueAsync(1, Rows);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Rows), "the zombie has called for each row");
        zombie.Freeze();
        fleet.StartWorker(Rows);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.Calls == 2 * Rows), "the other worker has called for each row");
        zombie.Thaw();

        await History.CheckAsync(fleet, Rows, paidTwice: Rows);
        await fleet.HoldsAsync(() => Task.FromResult(zombie.Said.Contains("another worker")), "the zombie says that it has lost its leases");
        Assert.All(await fleet.Results.GetAsync([.. Enumerable.Range(1, Rows).Select(row => fleet.Row(row).Id)]), result => Assert.Equal(1, result!.Meta.Attempts));
    }
}
