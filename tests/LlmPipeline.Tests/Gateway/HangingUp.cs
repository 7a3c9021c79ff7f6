using System.Text.Json.Nodes;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class HangingUp
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_hangs_up_while_the_call_waits_cancels_it(bool stream)
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        await house.HoldAsync(desk.Model);
        using var gone = new CancellationTokenSource();
        var call = desk.Http.PostAsync("v1/chat/completions", Body(desk, stream), gone.Token);
        await Eventually.HoldsAsync(async () => (await house.Fleet.Queue.StatsAsync(desk.Model)).Waiting == 1, "the call waits");

        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        await Eventually.HoldsAsync(async () => (await house.Fleet.KeysAsync("result:c-*")).Count == 1, "the call has ended");
        var result = (await house.Fleet.KeysAsync("result:c-*"))[0];
        Assert.Equal("cancelled", (string?)await house.Fleet.Redis.Database.HashGetAsync(result, "status"));
        Assert.InRange((await house.Fleet.Redis.Database.KeyTimeToLiveAsync(result))!.Value, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(10));
    }

    [Fact]
    public async Task Who_hangs_up_while_the_endpoint_works_stops_it()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { Latency = TimeSpan.FromMinutes(10), CountTokens = false });
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        using var gone = new CancellationTokenSource();
        var call = desk.Http.PostAsync("v1/chat/completions", Body(desk, false), gone.Token);
        await Eventually.HoldsAsync(() => Task.FromResult(house.Fleet.Llm.Stats.InFlight == 1), "the endpoint has the call");

        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        await Eventually.HoldsAsync(() => Task.FromResult(house.Fleet.Llm.Stats is { InFlight: 0, Abandoned: 1 }), "the call is broken off");
    }

    [Fact]
    public async Task Who_hangs_up_in_the_middle_of_a_stream_stops_it()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { LatencyPerToken = TimeSpan.FromSeconds(1), AnswerWords = 2000, CountTokens = false });
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        using (var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions") { Content = Body(desk, true) })
        using (var answer = await desk.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        using (var lines = new StreamReader(await answer.Content.ReadAsStreamAsync()))
            Assert.Equal("chat.completion.chunk", (string?)JsonNode.Parse((await lines.ReadLineAsync())!["data: ".Length..])!["object"]);

        await Eventually.HoldsAsync(() => Task.FromResult(house.Fleet.Llm.Stats is { InFlight: 0, Abandoned: 1 }), "the call is broken off");
    }

    private static StringContent Body(GatewayDesk desk, bool stream) =>
        GatewayDesk.Json($$"""{"model":"{{desk.Model}}","stream":{{(stream ? "true" : "false")}},"messages":[{"role":"user","content":"hello"}]}""");
}
