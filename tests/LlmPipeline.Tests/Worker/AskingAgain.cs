using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

public sealed class AskingAgain
{
    private const string Config = """
        {"execution_settings":{"default":{"response_format":{"type":"json_schema","json_schema":{"name":"label","strict":true,"schema":
        {"type":"object","additionalProperties":false,"required":["label"],"properties":{"label":{"enum":["a","b"]}}}}}}}}
        """;

    private static readonly PromptFunction Function = PromptFunction.FromFiles("f", new Dictionary<string, ReadOnlyMemory<byte>>
    {
        ["skprompt.txt"] = """<message role="system">Sort.</message><message role="user">{{$x}}</message>"""u8.ToArray(),
        ["config.json"] = Encoding.UTF8.GetBytes(Config),
    });

    [Fact]
    public async Task An_answer_that_fits_is_taken_as_it_came_and_the_schema_is_sent()
    {
        await using var endpoint = new RawEndpoint((_, _) => Answer("""{"label": "a"}"""));
        var outcome = await CallAsync(endpoint);
        Assert.Equal((CallVerdict.Completed, 0, 1), (outcome.Verdict, outcome.Reasks, outcome.Attempts));
        using var sent = JsonDocument.Parse(Assert.Single(endpoint.Requests).Body);
        Assert.Equal("""["a","b"]""", sent.RootElement.GetProperty("response_format").GetProperty("json_schema").GetProperty("schema").GetProperty("properties").GetProperty("label").GetProperty("enum").GetRawText());
    }

    [Fact]
    public async Task A_mismatch_is_asked_again_with_the_answer_and_what_is_wrong_with_it_and_usage_is_summed()
    {
        string[] answers = ["It is <a> & \u0001b", """{"label":"c"}""", """{"label":"b"}"""];
        await using var endpoint = new RawEndpoint((_, n) => Answer(answers[n - 1]));
        var outcome = await CallAsync(endpoint);

        Assert.Equal((CallVerdict.Completed, 2, 1, null), (outcome.Verdict, outcome.Reasks, outcome.Attempts, outcome.ErrorCode));
        Assert.Equal(new TokenUsage(21, 9, 6), outcome.Usage);
        Assert.Equal(Answer(answers[2]).Body, outcome.Text());
        var asked = Messages(endpoint.Requests.Last());
        Assert.Equal(
            [("system", "Sort."), ("user", "<x>\u0001"), ("assistant", answers[0]), ("user", Wrong("not JSON (line 1, byte 1)")), ("assistant", answers[1]), ("user", Wrong("#/label: not in enumeration"))],
            asked);
    }

    [Fact]
    public async Task After_two_times_it_fails_for_good_and_keeps_what_was_said_last_and_what_is_wrong_with_it()
    {
        await using var endpoint = new RawEndpoint((_, n) => Answer($$"""{"label":"secret {{n}}"}"""));
        var outcome = await CallAsync(endpoint);
        Assert.Equal((CallVerdict.Failed, 2, 1, 200), (outcome.Verdict, outcome.Reasks, outcome.Attempts, outcome.StatusCode));
        Assert.Equal(("schema_mismatch", "the answer does not fit the schema, asked 3 times: #/label: not in enumeration"), (outcome.ErrorCode, outcome.ErrorMessage));
        Assert.Contains("secret 3", outcome.Text(), StringComparison.Ordinal);
        Assert.Equal((3, new TokenUsage(21, 9, 6)), (endpoint.Requests.Count, outcome.Usage));
    }

    [Fact]
    public async Task A_fault_on_the_way_is_tried_again_within_the_conversation()
    {
        await using var endpoint = new RawEndpoint((_, n) => n switch { 1 => Answer("no"), 2 => new RawReply(500, "{}"), _ => Answer("""{"label":"a"}""") });
        var outcome = await CallAsync(endpoint);
        Assert.Equal((CallVerdict.Completed, 1, 2), (outcome.Verdict, outcome.Reasks, outcome.Attempts));
        Assert.Equal(endpoint.Requests.ElementAt(1).Text, endpoint.Requests.ElementAt(2).Text);
        Assert.Equal(4, Messages(endpoint.Requests.Last()).Count);
    }

    [Fact]
    public async Task A_single_attempt_is_no_limit_to_it()
    {
        await using var endpoint = new RawEndpoint((_, n) => Answer(n < 3 ? "no" : """{"label":"a"}"""));
        Assert.Equal(CallVerdict.Completed, (await CallAsync(endpoint, Job() with { MaxAttempts = 1 })).Verdict);
    }

    [Theory]
    [InlineData("""{"role":"assistant","content":null,"refusal":"I can't"}""", "refusal", 1)]
    [InlineData("""{"role":"assistant","content":null}""", "schema_mismatch", 3)]
    [InlineData("""{"role":"assistant","content":"\ud83d"}""", "schema_mismatch", 3)]
    public async Task A_refusal_is_not_pressed_and_no_text_is_a_mismatch(string message, string code, int calls)
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, $$"""{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{{message}},"finish_reason":"stop"}]}"""));
        var outcome = await CallAsync(endpoint);
        Assert.Equal((CallVerdict.Failed, code, calls), (outcome.Verdict, outcome.ErrorCode, endpoint.Requests.Count));
        Assert.All(endpoint.Requests.Skip(1), request => Assert.DoesNotContain(Messages(request), m => m is { Role: "assistant", Content: null or "" }));
    }

    [Fact]
    public async Task Each_call_takes_its_own_quota_and_the_metric_counts_them()
    {
        const string name = "asking-again-metric";
        var counted = 0L;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument.Name == "llmpipeline.llm.reasks")
                    listening.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag is { Key: "gen_ai.request.model", Value: name })
                    Interlocked.Add(ref counted, value);
        });
        listener.Start();
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { MisfitShare = 1 });
        var options = CallerHouse.Options(new DeploymentOptions { Name = "one", Endpoint = llm.BaseUrl.ToString(), RequestsPerMinute = 600 });
        await using var caller = CallerHouse.Caller(options, function: Function);
        var outcome = await caller.CallAsync(Job() with { Queue = name }, 0, default);
        Assert.Equal((CallVerdict.Failed, 2, 2), (outcome.Verdict, outcome.Reasks, Interlocked.Read(ref counted)));
        var status = Assert.Single(caller.Snapshot());
        Assert.Equal((3, 0), (status.Calls, status.Retries));
        Assert.Equal((llm.Stats.TokensIn, llm.Stats.TokensOut), (outcome.Usage.Input, outcome.Usage.Output));
    }

    [Fact]
    public async Task With_a_share_of_misfits_most_rows_get_their_answer()
    {
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { MisfitShare = 0.3, CountTokens = false });
        await using var caller = CallerHouse.Caller(CallerHouse.Options(new DeploymentOptions { Name = "one", Endpoint = llm.BaseUrl.ToString() }), function: Function);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(n => caller.CallAsync(Job($"row {n}"), 0, default)));
        Assert.InRange(outcomes.Count(o => o.Verdict == CallVerdict.Completed), 85, 100);
        Assert.Equal(100 + outcomes.Sum(o => o.Reasks), llm.Stats.Calls);
        Assert.InRange(outcomes.Sum(o => o.Reasks), 15, 70);
    }

    private static async Task<CallOutcome> CallAsync(RawEndpoint endpoint, Job? job = null)
    {
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)), function: Function);
        return await caller.CallAsync(job ?? Job(), 0, default);
    }

    private static Job Job(string x = "<x>\u0001") => new()
    {
        Id = "b-1.1",
        Queue = "m",
        Work = new PromptWork { Function = "f", Sha = Function.Sha, Variables = new Dictionary<string, string> { ["x"] = x } },
    };

    private static RawReply Answer(string text) => new(200, RawReply.Completion.Replace("\"four\"", JsonSerializer.Serialize(text), StringComparison.Ordinal));

    private static string Wrong(string faults) => $"Your answer does not fit the JSON schema: {faults}. Answer again, with JSON that fits it and nothing else.";

    private static List<(string Role, string? Content)> Messages(RawRequest request)
    {
        using var sent = JsonDocument.Parse(request.Body);
        return [.. sent.RootElement.GetProperty("messages").EnumerateArray().Select(m => (m.GetProperty("role").GetString()!, m.GetProperty("content").GetString()))];
    }
}
