namespace LlmPipeline;

/// <summary>The header <c>x-request-id</c>: <see href="https://platform.openai.com/docs/api-reference/debugging-requests"/>.</summary>
public sealed class NamingRequests(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Theory]
    [InlineData("GET", "v1/models", 200)]
    [InlineData("GET", "v1/models/none", 404)]
    [InlineData("GET", "v1/nothing", 404)]
    [InlineData("PUT", "v1/files", 405)]
    [InlineData("GET", "v1/files", 200)]
    [InlineData("GET", "v1/batches/batch_none", 404)]
    [InlineData("POST", "v1/chat/completions", 400)]
    [InlineData("POST", "v1/jobs", 400)]
    [InlineData("GET", "health", 200)]
    [InlineData("GET", "metrics", 200)]
    public async Task Every_response_has_a_name_of_its_own(string method, string path, int status)
    {
        using var desk = new GatewayDesk(house.Gateway);

        var names = new[] { await NameAsync(), await NameAsync() };

        Assert.All(names, name => Assert.Matches("^req_[0-9a-f]{32}$", name));
        Assert.NotEqual(names[0], names[1]);

        async Task<string> NameAsync()
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            using var answer = await desk.Http.SendAsync(request);
            Assert.Equal(status, (int)answer.StatusCode);
            return Assert.Single(answer.Headers.GetValues("x-request-id"));
        }
    }

    [Fact]
    public async Task A_response_without_a_key_has_a_name_too()
    {
        using var stranger = new HttpClient { BaseAddress = house.Gateway.Address };

        using var answer = await stranger.GetAsync("v1/models");

        Assert.Matches("^req_[0-9a-f]{32}$", Assert.Single(answer.Headers.GetValues("x-request-id")));
    }

    [Theory]
    [InlineData("chat/completions", "messages")]
    [InlineData("responses", "input")]
    public async Task A_stream_is_named_from_its_first_byte_on_and_so_is_its_job(string path, string field)
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/" + path)
        {
            Content = GatewayDesk.Json($$"""{"model":"{{desk.Model}}","stream":true,"{{field}}":[{"role":"user","content":"hi"}]}"""),
        };

        using var answer = await desk.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var text = await answer.Content.ReadAsStringAsync();

        Assert.True(answer.Content.Headers.ContentType?.MediaType == "text/event-stream", text);
        var name = Assert.Single(answer.Headers.GetValues("x-request-id"));
        Assert.Matches("^req_[0-9a-f]{32}$", name);
        Assert.Single(await house.Fleet.KeysAsync($"result:c-*-{name["req_".Length..]}"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_whole_answer_and_a_refusal_have_the_name_that_the_provider_gave(bool streamed)
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var refused = $$"""{{Body(desk)[..^1]}},"response_format":{"type":"poem"},"stream":{{(streamed ? "true" : "false")}}}""";

        using var answer = await desk.Http.PostAsync("v1/chat/completions", GatewayDesk.Json(Body(desk)));
        using var refusal = await desk.Http.PostAsync("v1/chat/completions", GatewayDesk.Json(refused));

        Assert.StartsWith("req_sim", Assert.Single(answer.Headers.GetValues("x-request-id")));
        Assert.Equal(400, (int)refusal.StatusCode);
        Assert.StartsWith("req_sim", Assert.Single(refusal.Headers.GetValues("x-request-id")));
    }

    [Fact, Trait("Category", "Slow")]
    public async Task An_error_of_the_gateway_itself_about_an_answer_keeps_the_name_that_the_provider_gave()
    {
        var llm = new SimulatorOptions { Script = [FaultKind.NotJson], CountTokens = false };
        await using var own = await GatewayHouse.OpenAsync(llm, "__MaxAttempts=1");
        await own.Fleet.WorkAsync();
        using var desk = new GatewayDesk(own.Gateway);

        using var answer = await desk.Http.PostAsync("v1/chat/completions", GatewayDesk.Json(Body(desk)));

        Assert.Equal(502, (int)answer.StatusCode);
        Assert.StartsWith("req_sim", Assert.Single(answer.Headers.GetValues("x-request-id")));
    }

    private static string Body(GatewayDesk desk) => $$"""{"model":"{{desk.Model}}","messages":[{"role":"user","content":"x"}]}""";
}
