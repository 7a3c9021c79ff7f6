namespace LlmPipeline;

public sealed class RunningBesideAFleet(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task Its_batch_is_one_of_the_fleet_and_its_answers_are_kept_there()
    {
        const int Count = 120;
        await house.WorkAsync();
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = house.Llm.BaseUrl.ToString();
        _desk.WriteRows("in.jsonl", Count);

        var error = await _desk.ErrorAsync(0, "run", "in.jsonl", "-o", "out.jsonl");

        Assert.Contains($"{Count} completed", error);
        var batches = await Task.WhenAll((await house.Queue.Batches.ListAsync()).Select(house.Queue.Batches.FindAsync));
        var known = batches.Single(b => b!.Models.Contains(_desk.Model))!;
        Assert.True(known.Sealed);
        var batch = known.Id;
        Assert.Equal(("ended", Count, 0, 0, 0), await _desk.StatusAsync(batch));
        // What the rows asked for is known to the run alone.
        var lines = _desk.Llmpipe.Lines("out.jsonl").Select(line => string.Concat(line.AsSpan(0, line.LastIndexOf(",\"request\":", StringComparison.Ordinal)), "}"));
        Assert.Equal(lines, (await _desk.OutAsync(0, "results", batch)).TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Rows_that_it_had_on_its_disk_are_not_waited_for()
    {
        await house.WorkAsync();
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = house.Llm.BaseUrl.ToString();
        _desk.WriteRows("in.jsonl", 8);
        Assert.Equal(0, (await _desk.Llmpipe.RunAsync("run", "in.jsonl", "--limit", "3")).ExitCode);

        await _desk.ErrorAsync(0, "run", "in.jsonl");

        Assert.Equal(8, _desk.Llmpipe.Lines("in.results.jsonl").Length);
        var batches = await Task.WhenAll((await house.Queue.Batches.ListAsync()).Select(house.Queue.Batches.FindAsync));
        var batch = batches.Single(b => b!.Models.Contains(_desk.Model))!.Id;
        Assert.Equal(("ended", 5, 0, 0, 0), await _desk.StatusAsync(batch));
        var results = await _desk.RunAsync("results", batch, "--wait");
        Assert.Equal((1, 5), (results.ExitCode, results.Out.TrimEnd().Split('\n').Length));
        Assert.Contains("3 rows were never on the queue", results.Error);
    }

    [Fact]
    public async Task As_long_as_it_feeds_its_batch_is_submitting()
    {
        const int Count = 11_000;
        _desk.WriteRows("in.jsonl", Count);
        await using var slow = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMinutes(30), CountTokens = false });
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = slow.BaseUrl.ToString();
        await using var server = await RedisServer.StartAsync();
        using var run = _desk.Llmpipe.Start("run", "in.jsonl", "--redis", server.Address);
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        await Eventually.HoldsAsync(async () => (await queue.Batches.ListAsync()).Count == 1, "it has announced its batch", TimeSpan.FromSeconds(60));
        var batch = Assert.Single(await queue.Batches.ListAsync());
        await Eventually.HoldsAsync(
            async () => await queue.StatsAsync(PrivateQueue.Name(batch, _desk.Model)) is var stats && stats.Waiting + stats.Inflight >= 10_000, "the store is as full as it gets", TimeSpan.FromSeconds(60));

        var status = await _desk.Llmpipe.RunAsync("status", batch, "--redis", server.Address);
        run.Kill();
        await run.WaitForExitAsync();

        Assert.Contains($"batch      {batch}, submitting", status.Out);
        Assert.Contains("left       11,000", status.Out);
    }
}
