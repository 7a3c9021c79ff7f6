#pragma warning disable OPENAI001 // The client's responses are marked as in evaluation.
using System.ClientModel;
using System.Net;
using System.Text.Json;
using OpenAI;
using OpenAI.Responses;

namespace LlmPipeline.Tests;

/// <summary>The simulator's <c>/v1/responses</c>.</summary>
public sealed class SpeakingResponses
{
    private const string Path = "v1/responses";

    [Fact]
    public async Task The_official_client_gets_a_response_and_reads_its_stream()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        var client = new OpenAIClient(new ApiKeyCredential("any"), new OpenAIClientOptions { Endpoint = simulator.BaseUrl }).GetResponsesClient();

        ResponseResult answer = await client.CreateResponseAsync("gpt-x", "What is 6 × 7?");
        Assert.Equal(("gpt-x", ResponseStatus.Completed), (answer.Model, answer.Status));
        Assert.NotEmpty(answer.GetOutputText());
        Assert.Equal(answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount);

        var (text, last) = ("", (ResponseResult?)null);
        await foreach (var update in client.CreateResponseStreamingAsync("gpt-x", "What is 6 × 7?"))
        {
            text += (update as StreamingResponseOutputTextDeltaUpdate)?.Delta;
            last = (update as StreamingResponseCompletedUpdate)?.Response ?? last;
        }

        Assert.Equal(text, last!.GetOutputText());
        Assert.Equal(2, simulator.Stats.Completed);
    }

    [Fact]
    public async Task Instructions_and_items_count_as_tokens_and_max_output_tokens_cuts()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        using var probe = new SimulatorProbe(simulator);
        var plain = Tokens(await probe.AnswerAsync(Path, """{"model":"m","input":"What now?"}"""));
        Assert.Equal(plain, Tokens(await probe.AnswerAsync(Path, """{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"What now?"}]}]}""")));
        Assert.Equal(plain + 6, Tokens(await probe.AnswerAsync(Path, """{"input":"What now?","instructions":"Be brief","model":"m"}""")));
        Assert.Equal(plain + 6, Tokens(await probe.AnswerAsync(Path, """{"instructions":"Be brief","input":"What now?","model":"m"}""")));

        var cut = await probe.AnswerAsync(Path, """{"model":"m","input":"a","max_output_tokens":3}""");
        Assert.Equal(("incomplete", "max_output_tokens", 3), (
            cut.GetProperty("status").GetString(), cut.GetProperty("incomplete_details").GetProperty("reason").GetString(), cut.GetProperty("usage").GetProperty("output_tokens").GetInt32()));

        static int Tokens(JsonElement answer) => answer.GetProperty("usage").GetProperty("input_tokens").GetInt32();
    }

    [Fact]
    public async Task A_schema_is_fitted_and_a_tool_is_called_once()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var fitted = await probe.AnswerAsync(
            Path, """{"model":"m","input":"a","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}}}}""");
        Assert.Equal(JsonValueKind.Number, JsonElement.Parse(Item(fitted).GetProperty("content")[0].GetProperty("text").GetString()!).GetProperty("x").ValueKind);

        const string Tools = """ "tools":[{"type":"function","name":"look","parameters":{"type":"object","properties":{"at":{"type":"string"}},"required":["at"]}}] """;
        var call = Item(await probe.AnswerAsync(Path, $$"""{"model":"m","input":"a",{{Tools}}}"""));
        Assert.Equal(("function_call", "look"), (call.GetProperty("type").GetString(), call.GetProperty("name").GetString()));
        Assert.True(JsonElement.Parse(call.GetProperty("arguments").GetString()!).TryGetProperty("at", out _));
        var after = Item(await probe.AnswerAsync(Path, $$"""{"model":"m","input":[{"role":"user","content":"a"},{"type":"function_call_output","call_id":"c","output":"7"}],{{Tools}}}"""));
        Assert.Equal("message", after.GetProperty("type").GetString());

        static JsonElement Item(JsonElement answer) => Assert.Single(answer.GetProperty("output").EnumerateArray());
    }

    [Theory]
    [InlineData("""{"model":"m"}""", "input")]
    [InlineData("""{"model":"m","input":7}""", "input")]
    [InlineData("""{"model":"m","input":[]}""", "input")]
    [InlineData("""{"model":"m","input":"a","instructions":7}""", "instructions")]
    [InlineData("""{"model":"m","input":"a","text":7}""", "text")]
    public async Task What_is_wrong_is_told(string body, string field)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(Path, body);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(field, JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("error").GetProperty("param").GetString());
    }

    [Theory]
    [InlineData("v1/responses", """{"model":"m","prompt":{"id":"stored"}}""")]
    [InlineData("openai/responses?api-version=2026-01-01", """{"model":"m","input":"a"}""")]
    public async Task A_stored_prompt_and_Azures_path_are_answered(string path, string body)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        Assert.Equal("completed", (await probe.AnswerAsync(path, body)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Events_are_lines_also_where_bodies_are_pretty()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Pretty = true });
        using var probe = new SimulatorProbe(simulator);
        foreach (var (path, body) in ((string, string)[])[(Path, """{"model":"m","input":"a","stream":true}"""), (SimulatorProbe.Chat, SimulatorProbe.Ask("a", """, "stream":true"""))])
        {
            using var response = await probe.PostAsync(path, body);
            var lines = (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.All(lines, line => Assert.True(line.StartsWith("data: ", StringComparison.Ordinal) || line.StartsWith("event: ", StringComparison.Ordinal), line));
        }
    }
}
