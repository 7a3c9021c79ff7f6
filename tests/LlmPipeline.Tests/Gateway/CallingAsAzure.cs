using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Paths: <see href="https://learn.microsoft.com/azure/ai-services/openai/reference"/>.</summary>
public sealed class CallingAsAzure(CallingAsAzure.RecordingHouse recording) : IClassFixture<CallingAsAzure.RecordingHouse>
{
    private const string Version = "?api-version=2024-10-21";

    [Theory]
    [InlineData("chat/completions", """{"messages":[{"role":"user"}]}""", """{"model":"NAME","messages":[{"role":"user"}]}""")]
    [InlineData("chat/completions", """{ "messages":[{}], "model" : "another" }""", """{ "messages":[{}], "model" : "NAME" }""")]
    [InlineData("chat/completions", """{"model":null,"messages":[{}]}""", """{"model":"NAME","messages":[{}]}""")]
    [InlineData("completions", """ { "prompt":"hi"}""", """ {"model":"NAME", "prompt":"hi"}""")]
    [InlineData("embeddings", """{"input":"hi","x":{"model":"y"}}""", """{"model":"NAME","input":"hi","x":{"model":"y"}}""")]
    public async Task The_deployment_in_the_path_is_the_model_whatever_the_body_says(string call, string body, string expected)
    {
        using var desk = new GatewayDesk(recording.House.Gateway);

        using var answer = await desk.Http.PostAsync($"openai/deployments/{desk.Model}/{call}{Version}", GatewayDesk.Json(body));

        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        Assert.Equal(expected.Replace("NAME", desk.Model, StringComparison.Ordinal), recording.Last(desk.Model));
        Assert.Contains(desk.Model, await recording.House.Fleet.Queue.QueuesAsync());
    }

    [Theory]
    [InlineData("org/{0}:1", "org/{0}:1")]
    [InlineData("org%2F{0}%3A1", "org/{0}:1")]
    [InlineData("hub/org%2f{0}", "hub/org/{0}")]
    [InlineData("chat/completions/{0}", "chat/completions/{0}")]
    public async Task A_name_with_slashes_is_taken_encoded_and_as_it_is(string path, string model)
    {
        using var desk = new GatewayDesk(recording.House.Gateway);

        using var answer = await desk.Http.PostAsync(
            $"openai/deployments/{Named(path)}/chat/completions{Version}", GatewayDesk.Json("""{"messages":[{"role":"user"}]}"""));

        Assert.Equal(Named(model), (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["model"]);

        string Named(string text) => text.Replace("{0}", desk.Model, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_no_model_can_have_and_a_path_without_a_call_are_refused()
    {
        using var desk = new GatewayDesk(recording.House.Gateway);

        var braces = await RefusedAsync("a%7Bb/chat/completions", "{}");
        Assert.Equal((400, "model"), (braces.Status, braces.Param));
        Assert.Equal(404, (await RefusedAsync("name/chat", "{}")).Status);
        Assert.Equal(404, (await RefusedAsync("org/name/chat", "{}")).Status);
        Assert.Equal(400, (await RefusedAsync("name/chat/completions", "{")).Status);

        Task<(int Status, string? Type, string? Code, string? Param, string Message)> RefusedAsync(string path, string body) =>
            desk.RefusedAsync(HttpMethod.Post, $"openai/deployments/{path}{Version}", GatewayDesk.Json(body));
    }

    [Theory]
    [InlineData("openai/models")]
    [InlineData("openai/deployments/name/files")]
    [InlineData("openai/deployments/name/batches")]
    [InlineData("openai/deployments/name/models/")]
    public async Task What_is_no_call_lies_beside_and_below_the_deployments(string path)
    {
        using var http = new HttpClient { BaseAddress = recording.House.Gateway.Address };
        http.DefaultRequestHeaders.Add("api-key", GatewayHouse.Key);

        Assert.Equal("list", (string?)JsonNode.Parse(await http.GetStringAsync(path + Version))!["object"]);
    }

    /// <summary>A gateway and a worker before an endpoint that keeps what it is sent.</summary>
    public sealed class RecordingHouse : IAsyncLifetime
    {
        internal GatewayHouse House { get; } = new(new SimulatorOptions { Record = true, CountTokens = false });

        public async Task InitializeAsync()
        {
            await House.InitializeAsync();
            await House.Fleet.WorkAsync();
        }

        public Task DisposeAsync() => House.DisposeAsync();

        /// <summary>The last body that names a model.</summary>
        internal string Last(string model) =>
            House.Fleet.Llm.Requests.Select(request => Encoding.UTF8.GetString(request.Body.Span)).Last(body => body.Contains(model));
    }
}
