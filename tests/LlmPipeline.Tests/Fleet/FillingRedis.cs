namespace LlmPipeline;

/// <summary>A Redis at its <c>maxmemory</c>.</summary>
public sealed class FillingRedis
{
    private const long Huge = 1L << 40;

    [Fact]
    public async Task Above_its_share_of_the_memory_a_worker_claims_nothing_and_says_so()
    {
        await using var house = await FleetHouse.StartAsync(new SimulatorOptions { CountTokens = false });
        using var desk = new FleetDesk(house);
        desk.WriteRows("rows.jsonl", 20);
        // No number in it depends on how much Redis uses when it is empty.
        await RedisCluster.AskAsync(house.Server, "CONFIG", "SET", "maxmemory", "1");
        house.Set("MaxMemoryShare", "0.5");
        var worker = await house.StartWorkerAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Said.Contains("MaxMemoryShare")), "the worker says it");
        await RedisCluster.AskAsync(house.Server, "CONFIG", "SET", "maxmemory", "0");
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Said.Contains("claiming goes on")), "the worker goes on");
        var batch = await desk.SubmitAsync("rows.jsonl");
        await desk.OutAsync(0, "results", batch, "--wait", "-o", "answers.jsonl");
        Assert.Equal(20, house.Llm.Stats.Calls);

        await RedisCluster.AskAsync(house.Server, "CONFIG", "SET", "maxmemory", "1");
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Said.Split("nothing is claimed").Length == 3), "the worker says it again");
    }

    [Fact]
    public async Task Submit_ends_at_the_limit_and_with_wait_it_waits_for_room()
    {
        await using var server = await RedisServer.StartAsync("--maxmemory", "1");
        using var desk = new FleetDesk(server.Address);
        desk.WriteRows("rows.jsonl", 20);
        var said = await desk.ErrorAsync(1, "submit", "rows.jsonl");
        Assert.Contains("has no memory left (maxmemory)", said);
        Assert.Contains("The same command again adds the rest", said);

        var waiting = desk.RunAsync("submit", "rows.jsonl", "--wait");
        await Eventually.HoldsAsync(
            async () => (await RedisCluster.AskAsync(server, "INFO", "errorstats")).Contains("OOM", StringComparison.Ordinal) && (await RedisCluster.AskAsync(server, "CLIENT", "LIST")).Contains("llmpipe", StringComparison.Ordinal),
            "it tries");
        Assert.False(waiting.IsCompleted);
        await RedisCluster.AskAsync(server, "CONFIG", "SET", "maxmemory", $"{Huge}");
        var (code, id, error) = await waiting;
        Assert.True(code == 0, error);
        Assert.Equal(20, (await desk.StatusAsync(id.Trim())).Left);
    }
}
