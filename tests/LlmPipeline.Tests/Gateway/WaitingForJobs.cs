using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class WaitingForJobs
{
    private const string Followed = "followed";

    [Fact, Trait("Category", "Slow")]
    public async Task Thousands_wait_at_a_time_on_few_connections_and_all_get_their_answers()
    {
        var count = Amount.Of("LLMPIPE_TEST_LONG_POLLS", 2000);
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        desk.Http.Timeout = TimeSpan.FromMinutes(5);
        await house.HoldAsync(desk.Model);
        var ids = new List<string>();
        while (ids.Count < count)
            ids.AddRange((await desk.SubmitAsync($"[{string.Join(',', Enumerable.Repeat(desk.Prompt(), Math.Min(500, count - ids.Count)))}]"))["data"]!.AsArray().Select(job => (string)job!["id"]!));

        var waiting = ids.Select(id => desk.GetAsync($"{JobsDesk.Path}/{id}?wait=300")).ToList();
        await Eventually.HoldsAsync(async () => (await ChannelsAsync(house)) >= count, "all of them wait", TimeSpan.FromMinutes(1));
        var connections = ((string)(await house.Fleet.Redis.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;
        await house.Fleet.Queue.ResumeAsync(desk.Model);
        var jobs = await Task.WhenAll(waiting);

        Assert.All(jobs, job => Assert.Equal("completed", (string?)job["status"]));
        Assert.Equal(ids, jobs.Select(job => (string?)job["id"]));
        // Of the gateway, a worker and this process.
        Assert.InRange(connections, 1, 20);
        await Eventually.HoldsAsync(async () => await ChannelsAsync(house) == 0, "nothing is listened for any more");
    }

    [Fact]
    public async Task Whose_patience_is_over_is_told_how_it_is()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var id = await desk.SubmitOneAsync(desk.Prompt());

        Assert.Equal("queued", (string?)(await desk.GetAsync($"{JobsDesk.Path}/{id}?wait=1"))["status"]);
        foreach (var wrong in (string[])["-1", "x", "601"])
            Assert.Equal((400, "wait"), (await desk.RefusedAsync(HttpMethod.Get, $"{JobsDesk.Path}/{id}?wait={wrong}")) is var refused ? (refused.Status, refused.Param) : default);
    }

    [Fact]
    public async Task A_gateway_that_is_stopped_lets_nobody_wait()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var id = await desk.SubmitOneAsync(desk.Prompt());
        var waiting = desk.GetAsync($"{JobsDesk.Path}/{id}?wait=600");
        await Eventually.HoldsAsync(async () => await ChannelsAsync(house) == 1, "it waits");

        house.Gateway.Process.Terminate();

        Assert.Equal("queued", (string?)(await waiting)["status"]);
        await Eventually.HoldsAsync(() => Task.FromResult(house.Gateway.Process.HasExited), "the gateway has ended");
    }

    [Fact]
    public async Task The_life_of_a_job_comes_as_events()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { LatencyPerToken = TimeSpan.FromMilliseconds(50), CountTokens = false });
        await house.HoldAsync(Followed);
        using var desk = new GatewayDesk(house.Gateway);
        var id = await desk.SubmitOneAsync($$"""{"model":"{{Followed}}","prompt":"hello","stream":true}""");
        using var answer = await desk.Http.GetAsync($"{JobsDesk.Path}/{id}/events", HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal("event: queued", await lines.ReadLineAsync());

        await house.Fleet.Queue.ResumeAsync(Followed);
        var events = (await lines.ReadToEndAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Skip(1).Where(text => text != ":").Select(text => text.Split('\n')).ToList();

        var names = events.Select(lines => lines[0]["event: ".Length..]).ToList();
        Assert.Equal(["running", "delta", "done"], names.Distinct());
        Assert.True(names.Count(name => name == "delta") > 5);
        var done = JsonNode.Parse(events[^1][1]["data: ".Length..])!;
        var text = string.Concat(events.Where(lines => lines[0] == "event: delta").Select(lines => (string?)JsonNode.Parse(lines[1]["data: ".Length..])!["choices"]?.AsArray().FirstOrDefault()?["delta"]?["content"]));
        Assert.Equal((string?)done["result"]!["body"]!["choices"]![0]!["message"]!["content"], text);
    }



    private static async Task<int> ChannelsAsync(GatewayHouse house) => ((StackExchange.Redis.RedisResult[])(await house.Fleet.Redis.Database.ExecuteAsync("PUBSUB", "CHANNELS", "result:g-*"))!).Count(channel => !((string)channel!).EndsWith(":stream", StringComparison.Ordinal));
}
