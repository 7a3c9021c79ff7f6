using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class GatheringStreams
{
    [Fact]
    public async Task Chunks_become_the_body_of_a_call_without_stream()
    {
        var body = await GatherAsync(
            """{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}""",
            """{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":1,"delta":{"role":"assistant","content":"B"},"finish_reason":null}],"usage":null}""",
            """{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"He\"l"},"logprobs":{"content":[{"token":"He"}]},"finish_reason":null}],"usage":null}""",
            """{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"lo é"},"logprobs":{"content":[{"token":"llo"}]},"finish_reason":null}],"usage":null}""",
            """{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"length"}],"usage":null}""",
            """{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""",
            "[DONE]");
        Assert.Equal(
            """{"id":"c1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"He\"llo é","refusal":null},"logprobs":{"content":[{"token":"He"},{"token":"llo"}]},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"B"},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""",
            body);
    }

    [Fact]
    public async Task Tool_calls_and_fields_of_vendors_are_put_together()
    {
        var body = JsonNode.Parse(await GatherAsync(
            """{"id":"","object":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}""",
            """{"id":"c2","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":"Let me","tool_calls":[{"index":0,"id":"t0","type":"function","function":{"name":"add","arguments":""}}]},"finish_reason":null}]}""",
            """{"choices":[{"index":0,"delta":{"reasoning_content":" think","tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}]}""",
            """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t1","type":"function","function":{"name":"sub","arguments":"{}"}},{"index":0,"id":"t0","function":{"name":"add","arguments":"1}"}}]},"content_filter_results":{"hate":{"filtered":false}},"finish_reason":"tool_calls"}]}""",
            "[DONE]"))!;
        var message = body["choices"]![0]!["message"]!;
        Assert.Equal("c2", (string?)body["id"]);
        Assert.Equal("Let me think", (string?)message["reasoning_content"]);
        Assert.Null(message["content"]);
        Assert.Equal(
            """[{"id":"t0","type":"function","function":{"name":"add","arguments":"{\u0022a\u0022:1}"}},{"id":"t1","type":"function","function":{"name":"sub","arguments":"{}"}}]""",
            message["tool_calls"]!.ToJsonString());
        Assert.False((bool)body["choices"]![0]!["content_filter_results"]!["hate"]!["filtered"]!);
        Assert.NotNull(body["prompt_filter_results"]);
    }

    [Fact]
    public async Task A_null_that_comes_later_takes_nothing_away()
    {
        var message = JsonNode.Parse(await GatherAsync(
            """{"id":"c3","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel","refusal":null},"finish_reason":null}]}""",
            """{"choices":[{"index":0,"delta":{"role":null,"content":null,"refusal":null},"finish_reason":null}]}""",
            """{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}"""))!["choices"]![0]!["message"]!;
        Assert.Equal("""{"role":"assistant","content":"Hello","refusal":null}""", message.ToJsonString());
    }

    [Fact]
    public async Task Completions_and_responses_have_their_own_events()
    {
        Assert.Equal(
            """{"id":"x","object":"text_completion","choices":[{"index":0,"text":"ab","finish_reason":"stop"}]}""",
            await GatherAsync(
                """{"id":"x","object":"text_completion","choices":[{"index":0,"text":"a","finish_reason":null}]}""",
                """{"id":"x","object":"text_completion","choices":[{"index":0,"text":"b","finish_reason":"stop"}]}"""));
        Assert.Equal(
            """{"id":"r","text":"é<","status":"completed","usage":{"input_tokens":1}}""",
            await GatherAsync(
                """{"type":"response.created","response":{"id":"r","status":"in_progress"}}""",
                """{"type":"response.output_text.delta","delta":"a"}""",
                """{"type":"response.completed","response":{"id":"r","text":"é<","status":"completed","usage":{"input_tokens":1}}}"""));
    }

    [Theory]
    [InlineData("""{"stream":true,"model":"m"}""", """{"stream":true,"model":"m","stream_options":{"include_usage":true}}""")]
    [InlineData("""{"stream":true, "stream_options" : {"x":1,"include_usage":false} ,"n":1}""", """{"stream":true, "stream_options" : {"x":1,"include_usage":true} ,"n":1}""")]
    [InlineData("""{"stream":true,"stream_options":null}""", """{"stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":true}} """, """{"stream":true,"stream_options":{"include_usage":true}} """)]
    [InlineData("""{"stream":false,"a":{"stream":true}}""", """{"stream":false,"a":{"stream":true}}""")]
    [InlineData("""{"stream":"true"}""", """{"stream":"true"}""")]
    [InlineData("""{"stream":true""", """{"stream":true""")]
    public void A_streamed_call_is_asked_for_its_usage_and_nothing_else_changes(string body, string sent) =>
        Assert.Equal(sent, Encoding.UTF8.GetString(StreamFields.WithUsage(Encoding.UTF8.GetBytes(body)).Span));

    [Theory]
    [InlineData("/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"n\":2")]
    [InlineData("/v1/completions", "\"prompt\":\"hi\"")]
    public async Task A_streamed_call_has_whole_body_usage_and_events(string path, string fields)
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions());
        await using var caller = Tests.CallerHouse.Caller(Tests.CallerHouse.Options(new DeploymentOptions { Name = "one", Endpoint = simulator.BaseUrl.ToString() }));
        var events = new List<string>();
        var job = Tests.CallerHouse.Request($$"""{"model":"m","stream":true,{{fields}}}""", path);
        var outcome = await caller.CallAsync(job, 0, _ => DeltasIn.List(events), CancellationToken.None);
        Assert.Equal(CallVerdict.Completed, outcome.Verdict);
        Assert.True(outcome.Usage.Input > 0 && outcome.Usage.Output > 0);
        var body = JsonNode.Parse(outcome.Body.Span)!;
        Assert.Equal(simulator.Stats.TokensOut, (long)body["usage"]!["completion_tokens"]!);
        Assert.Equal(path == "/v1/completions" ? 1 : 2, body["choices"]!.AsArray().Count);
        Assert.All(body["choices"]!.AsArray(), choice => Assert.EndsWith("]", (string?)choice!["message"]?["content"] ?? (string?)choice["text"]));
        Assert.True(events.Count > 5);
    }

    [Fact]
    public async Task A_stream_that_is_cut_is_tried_again()
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions { Script = [FaultKind.Cut] });
        await using var caller = Tests.CallerHouse.Caller(Tests.CallerHouse.Options(new DeploymentOptions { Name = "one", Endpoint = simulator.BaseUrl.ToString() }));
        var runs = 0;
        var job = Tests.CallerHouse.Request("""{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}""");
        var outcome = await caller.CallAsync(
            job,
            0,
            _ =>
            {
                runs++;
                return DeltasIn.List([]);
            },
            CancellationToken.None);
        Assert.Equal((CallVerdict.Completed, 2, 2), (outcome.Verdict, outcome.Attempts, runs));
        Assert.Equal(0, simulator.Stats.PaidTwice);
    }

    private static async Task<string> GatherAsync(params string[] data)
    {
        var seen = new List<string>();
        var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(data.Select(d => $"data: {d}\n\n"))));
        var (body, fault) = await StreamedAnswer.ReadAsync(stream, 1_000_000, DeltasIn.List(seen), CancellationToken.None);
        Assert.Equal(data.Where(d => d != "[DONE]"), seen);
        Assert.Equal(AnswerFault.None, fault);
        return Encoding.UTF8.GetString(body);
    }
}
