#pragma warning disable OPENAI001 // The client's responses are marked as in evaluation.
using System.ClientModel;
using System.Text;
using System.Text.Json.Nodes;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Responses;

namespace LlmPipeline;

public sealed class StreamingThroughTheGateway
{
    private const string Chat = "v1/chat/completions";

    [Fact, Trait("Category", "Slow")]
    public async Task The_official_client_gets_the_text_word_by_word_as_it_is_made()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { LatencyPerToken = TimeSpan.FromMilliseconds(100), CountTokens = false });
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var client = new ChatClient(desk.Model, new ApiKeyCredential(GatewayHouse.Key), new OpenAIClientOptions { Endpoint = new Uri(house.Gateway.Address, "v1") });
        var (text, inTheMiddle, parts) = (new StringBuilder(), false, 0);

        await foreach (var update in client.CompleteChatStreamingAsync("Tell me a story"))
        {
            parts += update.ContentUpdate.Count;
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
            inTheMiddle |= parts > 0 && house.Fleet.Llm.Stats.InFlight == 1;
        }

        Assert.True(parts > 5, $"{parts} parts");
        Assert.True(inTheMiddle, "the first words came when the last were not made yet");
        var stored = await house.Fleet.Redis.Database.HashGetAsync(Assert.Single(await house.Fleet.KeysAsync("result:c-*")), "body");
        Assert.Equal((string?)JsonNode.Parse((string)stored!)!["choices"]![0]!["message"]!["content"], text.ToString());
    }

    [Fact, Trait("Category", "Slow")]
    public async Task The_official_client_reads_the_stream_of_a_response()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { LatencyPerToken = TimeSpan.FromMilliseconds(20), CountTokens = false });
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var client = new OpenAIClient(new ApiKeyCredential(GatewayHouse.Key), new OpenAIClientOptions { Endpoint = new Uri(house.Gateway.Address, "v1") }).GetResponsesClient();
        var (text, parts, whole) = (new StringBuilder(), 0, (ResponseResult?)null);

        await foreach (var update in client.CreateResponseStreamingAsync(desk.Model, "Tell me a story"))
        {
            if (update is StreamingResponseOutputTextDeltaUpdate { Delta: var delta } && ++parts > 0)
                text.Append(delta);
            whole = (update as StreamingResponseCompletedUpdate)?.Response ?? whole;
        }

        Assert.True(parts > 5, $"{parts} parts");
        Assert.Equal(text.ToString(), whole!.GetOutputText());
        ResponseResult answer = await client.CreateResponseAsync(desk.Model, "Tell me a story");
        Assert.Equal(whole.Model, answer.Model);
        Assert.True(answer.Usage.OutputTokenCount > 5);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData(""","stream_options":{"include_usage":true}""", true)]
    [InlineData(""","stream_options":{"include_usage":false}""", false)]
    public async Task The_usage_comes_to_who_asked_for_it_and_to_nobody_else(string options, bool told)
    {
        await using var house = await GatewayHouse.OpenAsync();
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var events = await EventsAsync(desk, $$"""{"model":"{{desk.Model}}","stream":true,"messages":[{"role":"user","content":"hi"}]{{options}}}""");

        Assert.Equal("[DONE]", events[^1]);
        var chunks = events.SkipLast(1).Select(data => JsonNode.Parse(data)!).ToList();
        Assert.Equal(told ? 1 : 0, chunks.Count(chunk => chunk["choices"]!.AsArray().Count == 0 && chunk["usage"] is not null));
        Assert.True(chunks.Count > 5);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_after_text_was_sent_ends_with_an_error_and_without_DONE()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { Script = [FaultKind.Cut], LatencyPerToken = TimeSpan.FromMilliseconds(20), CountTokens = false });
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var events = await EventsAsync(desk, $$"""{"model":"{{desk.Model}}","stream":true,"messages":[{"role":"user","content":"hi"}]}""");

        Assert.Contains("\"content\"", events[0]);
        var error = JsonNode.Parse(events[^1])!["error"]!;
        Assert.Equal(("server_error", "stream_restarted"), ((string?)error["type"], (string?)error["code"]));
        Assert.DoesNotContain("[DONE]", events);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task An_answer_that_fails_before_its_first_word_is_made_again_and_nobody_sees_it()
    {
        await using var house = await GatewayHouse.OpenAsync(new SimulatorOptions { Script = [FaultKind.ServerError, FaultKind.Reset], CountTokens = false });
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var events = await EventsAsync(desk, $$"""{"model":"{{desk.Model}}","stream":true,"messages":[{"role":"user","content":"hi"}]}""");

        Assert.Equal("[DONE]", events[^1]);
        Assert.True(events.Count > 5);
    }

    [Fact]
    public async Task A_refusal_comes_with_its_status_also_where_a_stream_was_asked_for()
    {
        await using var house = await GatewayHouse.OpenAsync();
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var refused = await desk.RefusedAsync(HttpMethod.Post, Chat, GatewayDesk.Json($$"""{"model":"{{desk.Model}}","stream":true,"messages":[{"role":"user","content":"x"}],"response_format":{"type":"poem"} }"""));

        Assert.Equal((400, "response_format.type"), (refused.Status, refused.Param));
    }

    [Fact]
    public void A_whole_answer_becomes_the_one_chunk_of_a_stream()
    {
        var (name, chat) = Whole(
            "/v1/chat/completions",
            """{"id":"c","object":"chat.completion","choices":[{"index":0,"message":"""
                + """{"role":"assistant","content":null,"tool_calls":[{"id":"a"},{"id":"b"}]},"finish_reason":"stop"}],"usage":"""
                + """{"total_tokens":3}}""");
        Assert.Null(name);
        Assert.Equal(
            """{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":"""
                + """{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a"},{"index":1,"id":"b"}]}"""
                + ""","finish_reason":"stop"}]}""",
            chat);

        Assert.Equal(
            ("response.completed", """{"type":"response.completed","sequence_number":0,"response":{"id":"r","output":[]}}"""),
            Whole("/v1/responses", """{"id":"r","output":[]}"""));
    }

    [Theory]
    [InlineData(
        """{"choices":[{"message":{"content":"half \ud83d"},"\udc00":1.50}]}""",
        """{"choices":[{"delta":{"content":"half \ud83d"},"\udc00":1.50}]}""")]
    [InlineData(
        """{"choices":[{"message":{"content":"a","tool_calls":[]},"logprobs":NaN}]}""",
        """{"choices":[{"delta":{"content":"a","tool_calls":[]},"logprobs":null}]}""")]
    [InlineData("""{"choices":[{"text":"a"},7],"usage":{},"object":null}""", """{"choices":[{"text":"a"},7],"object":null}""")]
    [InlineData("{}", "{}")]
    public void A_whole_answer_is_streamed_with_the_text_that_it_has(string body, string chunk) =>
        Assert.Equal((null, chunk), Whole("/v1/chat/completions", body));

    [Theory]
    [InlineData("[1]")]
    [InlineData("<html>")]
    [InlineData("")]
    public void What_is_no_json_object_is_not_streamed(string body) =>
        Assert.Null(Chunk.OfWhole("/v1/chat/completions", Encoding.UTF8.GetBytes(body), usage: false));

    private static (string? Name, string Data) Whole(string path, string body) =>
        Chunk.OfWhole(path, Encoding.UTF8.GetBytes(body), usage: false)!.Value;

    [Theory]
    [InlineData("""{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}""", false, false, 0)]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}""", true, false, 0)]
    [InlineData("""{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}""", true, false, 0)]
    [InlineData("""{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}""", false, false, 1)]
    [InlineData("""{"choices":[{"index":0,"text":"a","finish_reason":"length"}]}""", true, false, 1)]
    [InlineData("""{"choices":[],"usage":{"total_tokens":1}}""", false, true, 0)]
    [InlineData("""{"choices":[],"prompt_filter_results":[]}""", false, false, 0)]
    [InlineData("""{"type":"chunk","choices":[{"index":null,"delta":{"content":"a"},"finish_reason":"stop"}]}""", true, false, 1)]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":"\ud83d"},"finish_reason":""}]}""", true, false, 0)]
    [InlineData("""{"choices":null,"usage":{"total_tokens":1}}""", false, true, 0)]
    [InlineData("""{"choices":null}""", false, false, 0)]
    [InlineData("""{"type":"response.created","response":{}}""", false, false, 0)]
    [InlineData("""{"type":"response.output_text.delta","delta":"a"}""", true, false, 0)]
    [InlineData("""{"type":"response.completed","response":{}}""", false, false, 1)]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":"\ud83d"}}]}""", true, false, 0)]
    [InlineData("""{"type":"half \ud83d"}""", false, false, 0)]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":"a"},"p":NaN}]}""", true, false, 0)]
    [InlineData("[]", true, false, 0)]
    public void What_an_event_carries_is_read_of_it(string data, bool text, bool usage, int ends)
    {
        var chunk = Chunk.Read(data);

        Assert.Equal((text, usage, ends), (chunk.HasText, chunk.IsUsage, chunk.Ends.Count));
    }

    /// <summary>The data of all events of a stream.</summary>
    private static async Task<IReadOnlyList<string>> EventsAsync(GatewayDesk desk, string body)
    {
        using var answer = await desk.Http.PostAsync(Chat, GatewayDesk.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.Content.Headers.ContentType?.MediaType == "text/event-stream", text);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..])];
    }
}
