using System.ComponentModel;
using System.Text;
using System.Text.Json;
using Microsoft.SemanticKernel;

namespace LlmPipeline.Tests;

public sealed class UsingTools
{
    private const string Asks = """{"execution_settings":{"default":{"function_choice_behavior":{"functions":["clock.now"],"type":"auto"}}}}""";
    private const string Call = """{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"clock-now","arguments":"{\"zone\":\"<UTC> & \\u0001\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}""";

    [Fact]
    public async Task A_tool_that_is_asked_for_is_offered_called_and_answered_and_usage_is_summed()
    {
        var clock = new Clock();
        await using var endpoint = new RawEndpoint((_, n) => n == 1 ? new RawReply(200, Call) : RawReply.Ok);
        var outcome = await CallAsync(endpoint, Asks, clock);

        Assert.Equal((CallVerdict.Completed, RawReply.Completion, new TokenUsage(14, 3, 4), 1), (outcome.Verdict, outcome.Text(), outcome.Usage, outcome.Attempts));
        Assert.Equal("<UTC> & \u0001", Assert.Single(clock.Asked));
        using var first = JsonDocument.Parse(endpoint.Requests.First().Body);
        // What the kernel has beside it is not offered.
        Assert.Equal("clock-now", Assert.Single(first.RootElement.GetProperty("tools").EnumerateArray()).GetProperty("function").GetProperty("name").GetString());
        using var second = JsonDocument.Parse(endpoint.Requests.Last().Body);
        var told = second.RootElement.GetProperty("messages").EnumerateArray().Last();
        Assert.Equal(("tool", "t1", "noon & <later>"), (told.GetProperty("role").GetString(), told.GetProperty("tool_call_id").GetString(), told.GetProperty("content").GetString()));
    }

    [Fact]
    public async Task A_function_that_asks_for_none_is_offered_none()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        await CallAsync(endpoint, "{}", new Clock());
        Assert.DoesNotContain("tools", Assert.Single(endpoint.Requests).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Asks, "f: function_choice_behavior.functions: the tool clock.now is not registered with this worker")]
    [InlineData("""{"execution_settings":{"default":{"function_choice_behavior":{"type":"auto"}}}}""", "f: function_choice_behavior: asks for tools, and this worker has none registered")]
    public async Task A_tool_that_is_not_registered_is_an_error_before_any_call(string config, string message)
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var outcome = await CallAsync(endpoint, config, null);
        Assert.Equal((CallVerdict.Failed, "prompt_function", message), (outcome.Verdict, outcome.ErrorCode, outcome.ErrorMessage));
        Assert.Empty(endpoint.Requests);
    }

    [Fact]
    public async Task A_tool_that_fails_is_told_to_the_model_and_a_fault_on_the_way_begins_from_the_start()
    {
        var clock = new Clock { Fails = true };
        await using var endpoint = new RawEndpoint((_, n) => n switch { 2 => new RawReply(500, "{}"), 1 or 3 => new RawReply(200, Call), _ => RawReply.Ok });
        var outcome = await CallAsync(endpoint, Asks, clock);
        Assert.Equal((CallVerdict.Completed, 2, 2), (outcome.Verdict, outcome.Attempts, clock.Asked.Count));
        Assert.Equal(endpoint.Requests.ElementAt(0).Text, endpoint.Requests.ElementAt(2).Text);
        using var last = JsonDocument.Parse(endpoint.Requests.Last().Body);
        Assert.Contains("the clock has stopped", last.RootElement.GetProperty("messages").EnumerateArray().Last().GetProperty("content").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tools_and_schema_go_together_each_call_counts_and_a_second_question_has_the_results_with_it()
    {
        const string both = """
            {"execution_settings":{"default":{"function_choice_behavior":{"type":"auto"},"response_format":{"type":"json_schema","json_schema":{"name":"s",
            "schema":{"type":"object","required":["at"],"properties":{"at":{"type":"string"}}}}}}}}
            """;
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { MisfitShare = 1, Record = true });
        var options = CallerHouse.Options(new DeploymentOptions { Name = "one", Endpoint = llm.BaseUrl.ToString(), RequestsPerMinute = 6000 });
        await using var caller = CallerHouse.Caller(options, function: Function(both), kernel: Kernel(new Clock()));
        var outcome = await caller.CallAsync(Job(Function(both)), 0, default);

        // The call of the tool, the answer, and two more answers.
        Assert.Equal((CallVerdict.Failed, "schema_mismatch", 2, 4), (outcome.Verdict, outcome.ErrorCode, outcome.Reasks, llm.Stats.Calls));
        Assert.Equal((llm.Stats.TokensIn, llm.Stats.TokensOut), (outcome.Usage.Input, outcome.Usage.Output));
        using var last = JsonDocument.Parse(llm.Requests[^1].Body);
        Assert.Equal(
            ["user", "assistant", "tool", "assistant", "user", "assistant", "user"],
            last.RootElement.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("role").GetString()));
    }

    private static async Task<CallOutcome> CallAsync(RawEndpoint endpoint, string config, Clock? clock)
    {
        var function = Function(config);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)), function: function, kernel: clock is null ? null : Kernel(clock));
        return await caller.CallAsync(Job(function), 0, default);
    }

    private static Kernel Kernel(Clock clock)
    {
        var kernel = new Kernel();
        kernel.ImportPluginFromObject(clock, "clock");
        return kernel;
    }

    private static PromptFunction Function(string config) => PromptFunction.FromFiles(
        "f", new Dictionary<string, ReadOnlyMemory<byte>> { ["skprompt.txt"] = "What time is it in {{$x}}?"u8.ToArray(), ["config.json"] = Encoding.UTF8.GetBytes(config) });

    private static Job Job(PromptFunction function) => new()
    {
        Id = "b-1.1",
        Queue = "m",
        Work = new PromptWork { Function = "f", Sha = function.Sha, Variables = new Dictionary<string, string> { ["x"] = "<UTC>" } },
    };

    private sealed class Clock
    {
        public List<string> Asked { get; } = [];

        public bool Fails { get; init; }

        [KernelFunction("now"), Description("The time of day")]
        public string Now(string zone)
        {
            Asked.Add(zone);
            return Fails ? throw new InvalidOperationException("the clock has stopped") : "noon & <later>";
        }

        [KernelFunction("wind")]
        public static string Wind() => "wound";
    }
}
