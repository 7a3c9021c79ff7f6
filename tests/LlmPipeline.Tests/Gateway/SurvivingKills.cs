namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class SurvivingKills
{
    private const int Rows = 2000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [Fact, Trait("Category", "Slow")]
    public async Task Whatever_is_killed_in_the_middle_every_line_has_its_answer()
    {
        await using var house = await GatewayHouse.OpenAsync();
        var workers = new List<WorkProcess> { await house.Fleet.StartWorkerAsync(), await house.Fleet.StartWorkerAsync() };
        using var first = new GatewayDesk(house.Gateway);
        var lines = first.Lines(Rows, fails: n => n % 100 == 0);
        var batch = (await first.CreateAsync(await first.UploadAsync(lines))).BatchId;

        // In the middle of enqueueing, or just after it; then while rows run.
        house.Gateway.Process.Kill();
        var killed = await house.StartAsync();
        using var second = new GatewayDesk(killed);
        await second.CompletesAsync(batch, Rows / 10);
        workers[0].Kill();
        workers.Add(await house.Fleet.StartWorkerAsync());
        await second.CompletesAsync(batch, Rows / 4);
        killed.Process.Kill();
        workers[1].Kill();
        using var third = new GatewayDesk(await house.StartAsync());

        var done = await third.BecomesAsync(batch, "completed");
        Assert.Equal($$"""{"total":{{Rows}},"completed":{{Rows - (Rows / 100)}},"failed":{{Rows / 100}}}""", done["request_counts"]!.ToJsonString());
        Assert.Equal(Enumerable.Range(1, Rows).Where(n => n % 100 != 0).Select(n => $"row-{n}"), await third.IdsOfAsync((string?)done["output_file_id"]));
        Assert.Equal(Enumerable.Range(1, Rows).Where(n => n % 100 == 0).Select(n => $"row-{n}"), await third.IdsOfAsync((string?)done["error_file_id"]));
    }

    [Fact]
    public async Task Two_gateways_behave_as_one()
    {
        await using var house = await GatewayHouse.OpenAsync();
        await house.Fleet.StartWorkerAsync();
        using var one = new GatewayDesk(house.Gateway);
        using var two = new GatewayDesk(await house.StartAsync());

        var file = await one.UploadAsync(one.Lines(20));
        var batch = (await two.CreateAsync(file)).BatchId;
        var done = await one.BecomesAsync(batch, "completed");
        var lines = await two.IdsOfAsync((string?)done["output_file_id"]);
        await one.Files.DeleteFileAsync(file);

        Assert.Equal(Enumerable.Range(1, 20).Select(n => $"row-{n}"), lines);
        Assert.Equal(404, (await two.RefusedAsync(HttpMethod.Get, $"v1/files/{file}/content")).Status);
        Assert.Equal(20, house.Fleet.Llm.Stats.Calls);
    }

    [Fact]
    public async Task A_gateway_that_is_stopped_hands_its_batches_over_and_ends_with_0()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var one = new GatewayDesk(house.Gateway);
        var batch = (await one.CreateAsync(await one.UploadAsync(one.Lines(5)))).BatchId;
        await one.BecomesAsync(batch, "in_progress");
        using var two = new GatewayDesk(await house.StartAsync());

        house.Gateway.Process.Terminate();
        Assert.Equal(0, await house.Gateway.Process.ExitedAsync(Patience));
        Assert.DoesNotContain("should not happen", house.Gateway.Process.Said);
        await house.Fleet.StartWorkerAsync();

        var done = await two.BecomesAsync(batch, "completed");
        Assert.Equal(5, (int)done["request_counts"]!["completed"]!);
    }

    [Fact]
    public async Task A_gateway_whose_Redis_is_away_says_so_and_goes_on_when_it_is_back()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);

        house.Fleet.Server.Freeze();
        var ready = await desk.Http.GetAsync("ready");
        var health = await desk.Http.GetAsync("health");
        house.Fleet.Server.Thaw();

        Assert.Equal((503, 200), ((int)ready.StatusCode, (int)health.StatusCode));
        Assert.Equal("""{"status":"unavailable","reason":"Redis does not answer"}""", await ready.Content.ReadAsStringAsync());
        await Eventually.HoldsAsync(async () => (await desk.Http.GetAsync("ready")).IsSuccessStatusCode, "it is ready again");
    }
}
