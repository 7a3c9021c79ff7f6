using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

/// <summary>A model that refuses a field of a prompt function is asked without it.</summary>
public sealed class LeavingOutRefusedFields
{
    private const string OpenAIValue =
        """{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}""";

    private const string OpenAIParameter =
        """{"error":{"message":"Unsupported parameter: 'top_p' is not supported with this model.","type":"invalid_request_error","param":"top_p","code":"unsupported_parameter"}}""";

    private const string MaxTokens =
        """{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}""";

    private const string Mistral =
        """{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted","input":50}]},"type":"invalid_request_error","param":null,"code":null}""";

    private const string OlderModel =
        """{"error":{"message":"Unrecognized request argument supplied: reasoning_effort","type":"invalid_request_error","param":null,"code":null}}""";

    [Theory]
    [InlineData("temperature", 400, OpenAIValue)]
    [InlineData("top_p", 400, OpenAIParameter)]
    [InlineData("max_completion_tokens", 422, Mistral)]
    [InlineData("reasoning_effort", 400, OlderModel)]
    [InlineData("seed", 400, """{"error":{"message":"property 'seed' is unsupported","type":"invalid_request_error"}}""")]
    [InlineData("presence_penalty", 400, """{"detail":"Argument not supported on this model: presence_penalty"}""")]
    [InlineData("top_k", 400, """{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"top_k\": Cannot find field.","status":"INVALID_ARGUMENT"}}""")]
    public async Task It_is_left_out_once_and_for_all(string field, int status, string refusal)
    {
        await using var endpoint = new RawEndpoint((request, _) => Has(request, field) ? new RawReply(status, refusal) : RawReply.Ok);
        var function = Function("""
            {"temperature":0,"top_p":0.5,"presence_penalty":1,"seed":7,"max_tokens":50,"reasoning_effort":"low","extra_body":{"top_k":3}}
            """);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)), function: function);

        var first = await caller.CallAsync(Job(function), 0, default);
        var second = await caller.CallAsync(Job(function), 0, default);

        Assert.Equal((CallVerdict.Completed, 1), (first.Verdict, first.Attempts));
        Assert.Equal((CallVerdict.Completed, 1), (second.Verdict, second.Attempts));
        Assert.Equal([true, false, false], endpoint.Requests.Select(request => Has(request, field)));
        string[] all = ["temperature", "top_p", "presence_penalty", "seed", "max_completion_tokens", "reasoning_effort", "top_k"];
        foreach (var other in all.Where(other => other != field))
            Assert.All(endpoint.Requests, request => Assert.True(Has(request, other), other));
    }

    [Theory]
    [InlineData(DeploymentKind.OpenAI, "max_completion_tokens", "max_tokens", Mistral)]
    [InlineData(DeploymentKind.AzureOpenAI, "max_tokens", "max_completion_tokens", MaxTokens)]
    public async Task A_limit_is_sent_by_its_other_name(DeploymentKind kind, string refused, string known, string refusal)
    {
        await using var endpoint = new RawEndpoint((request, _) => Has(request, refused) ? new RawReply(400, refusal) : RawReply.Ok);
        var function = Function("""{"max_tokens":50}""");
        var at = CallerHouse.At(endpoint);
        (at.Kind, at.Endpoint) = (kind, kind == DeploymentKind.OpenAI ? at.Endpoint : endpoint.Url);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at), function: function);

        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Job(function), 0, default)).Verdict);

        var (first, last) = (endpoint.Requests.First(), endpoint.Requests.Last());
        Assert.Equal((2, true, false), (endpoint.Requests.Count, Has(first, refused), Has(last, refused)));
        using var body = JsonDocument.Parse(last.Body);
        Assert.Equal(50, body.RootElement.GetProperty(known).GetInt32());
    }

    [Fact]
    public async Task A_model_that_refuses_several_is_asked_without_all_of_them()
    {
        await using var endpoint = new RawEndpoint((request, _) => Has(request, "temperature") ? new RawReply(400, OpenAIValue)
            : Has(request, "top_p") ? new RawReply(400, OpenAIParameter)
            : RawReply.Ok);
        var function = Function("""{"temperature":0,"top_p":0.5,"seed":7}""");
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)), function: function);

        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Job(function), 0, default)).Verdict);
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Job(function), 0, default)).Verdict);

        Assert.Equal(4, endpoint.Requests.Count);
        Assert.True(Has(endpoint.Requests.Last(), "seed"));
    }

    // Without them the answer would be another, or cost more.
    [Theory]
    [InlineData("n", "2", """{"error":{"message":"Unsupported value: 'n' does not support 2 with this model.","param":"n","code":"unsupported_value"}}""")]
    [InlineData("stop", "[\"#\"]", """{"error":{"message":"Unsupported parameter: 'stop' is not supported with this model.","param":"stop","code":"unsupported_parameter"}}""")]
    [InlineData("service_tier", "\"flex\"", """{"error":{"message":"Unsupported value: 'service_tier' flex is not supported","param":"service_tier","code":"unsupported_value"}}""")]
    [InlineData("temperature", "3", """{"error":{"message":"Invalid value for 'temperature': must be at most 2.","param":"temperature","code":"invalid_value"}}""")]
    [InlineData("max_tokens", "50", """{"error":{"message":"max_tokens and max_completion_tokens are not supported","param":null,"code":"unsupported_parameter"}}""")]
    public async Task What_the_answer_depends_on_is_never_left_out(string setting, string value, string refusal)
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(400, refusal));
        var function = Function($$"""{"{{setting}}":{{value}},"seed":7}""");
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)), function: function);

        var outcome = await caller.CallAsync(Job(function), 0, default);

        Assert.Equal((CallVerdict.Failed, refusal), (outcome.Verdict, outcome.Text()));
        Assert.All(endpoint.Requests, request => Assert.True(Has(request, setting) || Has(request, "max_completion_tokens")));
    }

    [Fact]
    public async Task Bodies_of_the_user_are_never_changed()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(400, OpenAIValue));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));

        var outcome = await caller.CallAsync(CallerHouse.Request("""{"model":"m","messages":[],"temperature":0}"""), 0, default);

        Assert.Equal((CallVerdict.Failed, OpenAIValue), (outcome.Verdict, outcome.Text()));
        Assert.All(endpoint.Requests, request => Assert.True(Has(request, "temperature")));
    }

    private static bool Has(RawRequest request, string field)
    {
        using var body = JsonDocument.Parse(request.Body);
        return body.RootElement.TryGetProperty(field, out _);
    }

    private static PromptFunction Function(string settings) => PromptFunction.FromFiles("f", new Dictionary<string, ReadOnlyMemory<byte>>
    {
        ["skprompt.txt"] = Encoding.UTF8.GetBytes("{{$x}}"),
        ["config.json"] = Encoding.UTF8.GetBytes($$$"""{"execution_settings":{"default":{{{settings}}}}}"""),
    });

    private static Job Job(PromptFunction function) => new()
    {
        Id = "b-1.1",
        Queue = CallerHouse.Model,
        Work = new PromptWork { Function = function.Name, Sha = function.Sha, Variables = new Dictionary<string, string> { ["x"] = "1" } },
    };
}
