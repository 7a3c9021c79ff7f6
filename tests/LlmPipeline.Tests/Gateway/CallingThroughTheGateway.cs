using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace LlmPipeline;

public sealed partial class CallingThroughTheGateway(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    private const string Chat = "v1/chat/completions";

    [Fact]
    public async Task The_official_client_gets_the_answer_that_the_endpoint_gives()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var (here, there) = (Client(house.Gateway.Address, desk.Model), Client(house.Fleet.Llm.Address, desk.Model));
        ChatMessage[] messages = [new SystemChatMessage("Be brief."), new UserChatMessage("Größe? 你好 🙂")];

        var answer = (await here.CompleteChatAsync(messages)).Value;

        Assert.Equal((await there.CompleteChatAsync(messages)).Value.Content[0].Text, answer.Content[0].Text);
        Assert.Equal((desk.Model, ChatFinishReason.Stop), (answer.Model, answer.FinishReason));
        Assert.True(answer.Usage.OutputTokenCount > 0);
    }

    [Fact]
    public async Task The_official_client_gets_embeddings()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var client = new EmbeddingClient(desk.Model, new ApiKeyCredential(GatewayHouse.Key), Options(house.Gateway.Address));

        var vectors = (await client.GenerateEmbeddingsAsync(["one", "two"])).Value;

        Assert.Equal([0, 1], vectors.Select(v => v.Index));
        Assert.NotEqual(vectors[0].ToFloats().ToArray(), vectors[1].ToFloats().ToArray());
    }

    [Theory]
    [InlineData("v1/")]
    [InlineData("openai/")]
    [InlineData("openai/v1/")]
    public async Task Body_and_answer_go_through_byte_for_byte_under_each_prefix(string prefix)
    {
        await using var own = await GatewayHouse.OpenAsync(new SimulatorOptions { Record = true, Pretty = true, ExtraFields = true, CountTokens = false });
        await own.Fleet.WorkAsync();
        using var desk = new GatewayDesk(own.Gateway);
        var body = Encoding.UTF8.GetBytes($$""" { "x_vendor" : [1.50, "\u00e4"],"prompt":"hi" ,"model":"{{desk.Model}}" } """);

        using var answer = await desk.Http.PostAsync(prefix + "completions", Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        using var direct = new HttpClient();
        using var expected = await direct.PostAsync(new Uri(own.Fleet.Llm.Address, "v1/completions"), Json(body));

        Assert.Equal(body, own.Fleet.Llm.Requests[0].Body.ToArray());
        Assert.Equal(WithoutNames(await expected.Content.ReadAsStringAsync()), WithoutNames(text));
        Assert.Contains("\n", text);
        Assert.StartsWith("req_", Assert.Single(answer.Headers.GetValues("x-request-id")));
        // For its caller alone, so it is not kept for a month; its life is shortened when the caller has it.
        var key = Assert.Single(await own.Fleet.KeysAsync("result:c-*"));
        await Eventually.HoldsAsync(async () => await own.Fleet.Redis.Database.KeyTimeToLiveAsync(key) <= TimeSpan.FromMinutes(10), "the result is kept for ten minutes", TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_refusal_of_the_provider_comes_with_its_status_and_body()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var body = Encoding.UTF8.GetBytes($$"""{"model":"{{desk.Model}}","messages":[{"role":"user","content":"x"}],"response_format":{"type":"poem"} }""");

        using var answer = await desk.Http.PostAsync(Chat, Json(body));

        using var direct = new HttpClient();
        using var expected = await direct.PostAsync(new Uri(house.Fleet.Llm.Address, Chat), Json(body));
        Assert.Equal((HttpStatusCode.BadRequest, await expected.Content.ReadAsStringAsync()), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    [Theory]
    [InlineData("""{"messages":[]}""", 400, "model", "missing_required_parameter")]
    [InlineData("""{"model":7}""", 400, "model", null)]
    [InlineData("""{"model":"a{b"}""", 400, "model", null)]
    [InlineData("""{"model":"a","model":"b"}""", 400, "model", null)]
    [InlineData("""{"model":"\ud800"}""", 400, "model", null)]
    [InlineData("""["model"]""", 400, null, null)]
    [InlineData("""{"model":"a"} x""", 400, null, null)]
    [InlineData("{", 400, null, null)]
    [InlineData("", 400, null, null)]
    public async Task A_body_that_cannot_be_sent_on_is_refused_by_name(string body, int status, string? param, string? code)
    {
        using var desk = new GatewayDesk(house.Gateway);

        var refused = await desk.RefusedAsync(HttpMethod.Post, Chat, GatewayDesk.Json(body));

        Assert.Equal((status, "invalid_request_error", param, code), (refused.Status, refused.Type, refused.Param, refused.Code));
    }

    [Fact]
    public async Task A_body_that_is_larger_than_a_job_may_be_is_a_413()
    {
        using var desk = new GatewayDesk(house.Gateway);

        foreach (var length in (int[])[16_773_200, 20_000_000])
        {
            var refused = await desk.RefusedAsync(HttpMethod.Post, Chat, GatewayDesk.Json($$"""{"model":"m","x":"{{new string('x', length)}}"}"""));
            Assert.Equal((413, "request_too_large"), (refused.Status, refused.Code));
        }
    }

    [Fact, Trait("Category", "Slow")]
    public async Task When_the_patience_is_over_a_caller_is_told_whether_anybody_serves_the_model()
    {
        await using var own = await GatewayHouse.OpenAsync("CallTimeout=1");
        using var desk = new GatewayDesk(own.Gateway);

        var nobody = await desk.RefusedAsync(HttpMethod.Post, Chat, GatewayDesk.Json($$"""{"model":"{{desk.Model}}","messages":[]}"""));
        await own.HoldAsync(desk.Model);
        var busy = await desk.RefusedAsync(HttpMethod.Post, Chat, GatewayDesk.Json($$"""{"model":"{{desk.Model}}","messages":[]}"""));

        Assert.Equal((504, "server_error", "model_not_served"), (nobody.Status, nobody.Type, nobody.Code));
        Assert.Equal((504, "server_error"), (busy.Status, busy.Type));
        Assert.NotEqual("model_not_served", busy.Code);
        // Nothing is left that anybody would call for nobody.
        await Eventually.HoldsAsync(async () => (await own.Fleet.Queue.StatsAsync(desk.Model)).Waiting == 0, "no job waits");
    }

    [Fact]
    public async Task A_full_queue_is_a_429_that_says_when_to_come_again()
    {
        await using var own = await GatewayHouse.OpenAsync("__MaxWaiting=2");
        using var desk = new GatewayDesk(own.Gateway);
        using var jobs = await desk.Http.PostAsync("v1/jobs", GatewayDesk.Json($$"""[{"model":"{{desk.Model}}","prompt":"a"},{"model":"{{desk.Model}}","prompt":"b"}]"""));
        Assert.Equal(HttpStatusCode.Accepted, jobs.StatusCode);

        foreach (var (path, body) in new[] { (Chat, $$"""{"model":"{{desk.Model}}","messages":[]}"""), ("v1/jobs", $$"""{"model":"{{desk.Model}}","prompt":"c"}"""), (Chat, $$"""{"model":"{{desk.Model}}","stream":true}""") })
        {
            using var answer = await desk.Http.PostAsync(path, GatewayDesk.Json(body));
            var refused = await GatewayDesk.ErrorAsync(answer);
            Assert.Equal((429, "rate_limit_exceeded"), (refused.Status, refused.Code));
            Assert.True(answer.Headers.RetryAfter?.Delta >= TimeSpan.FromSeconds(1));
        }

        Assert.Equal(2, (await own.Fleet.Queue.StatsAsync(desk.Model)).Waiting);
    }

    [Fact]
    public async Task Interactive_calls_go_before_a_backlog()
    {
        await using var own = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(own.Gateway);
        var work = RequestWork.OfPrompt(desk.Model, "hello");
        await own.Fleet.Queue.EnqueueAsync([.. Enumerable.Range(0, 2000).Select(n => new Job { Id = $"backlog-{n}", Queue = desk.Model, Work = work })]);
        await own.Fleet.StartWorkerAsync(concurrency: 1);
        await Eventually.HoldsAsync(async () => (await own.Fleet.Queue.StatsAsync(desk.Model)).Waiting < 2000, "the backlog is being worked on");

        for (var n = 0; n < 5; n++)
            await Client(own.Gateway.Address, desk.Model).CompleteChatAsync("hi");

        Assert.InRange((await own.Fleet.Queue.StatsAsync(desk.Model)).Waiting, 1500, 2000);
    }

    private static ChatClient Client(Uri address, string model) => new(model, new ApiKeyCredential(GatewayHouse.Key), Options(address));

    private static OpenAIClientOptions Options(Uri address) => new() { Endpoint = new Uri(address, "v1"), RetryPolicy = new ClientRetryPolicy(0) };

    private static ByteArrayContent Json(byte[] body) => new(body) { Headers = { ContentType = new("application/json") } };

    // Two calls have two ids and two times.
    private static string WithoutNames(string answer) => NamesOfACall().Replace(answer, "");

    [GeneratedRegex("sim[0-9a-f]{16}|(?<=created\": *)[0-9]+")]
    private static partial Regex NamesOfACall();
}
