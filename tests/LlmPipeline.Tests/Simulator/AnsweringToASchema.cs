using System.Text.Json;

namespace LlmPipeline.Tests;

public sealed class AnsweringToASchema
{
    private const string Schema = """
        {"type":"object","additionalProperties":false,"required":["label","score","when","items","next","code","who"],
         "properties":{"label":{"enum":["<é>","b"]},"score":{"type":"number","minimum":0.5,"maximum":1},"when":{"type":"string","format":"date"},
         "items":{"type":"array","minItems":1,"maxItems":3,"items":{"$ref":"#/$defs/item"}},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]},
         "code":{"type":"string","minLength":5,"maxLength":6},"who":{"allOf":[{"type":"object","required":["x"],"properties":{"x":{"const":4}}},{"required":["y"],"properties":{"y":{"type":"boolean"}}}]},
         "maybe":{"type":["integer","null"],"multipleOf":5,"exclusiveMinimum":7}},
         "$defs":{"item":{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":3}}}}}
        """;

    private const string Format = ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":" + Schema + "}}";
    private const string Tools = ""","tools":[{"type":"function","function":{"name":"clock-now","parameters":{"type":"object","required":["zone"],"properties":{"zone":{"enum":["UTC"]}}}}}]""";

    [Fact]
    public async Task Answers_fit_the_schema_differ_by_prompt_and_are_the_same_for_the_same()
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions());
        using var probe = new SimulatorProbe(simulator);
        using var document = JsonDocument.Parse(Schema);
        var schema = AnswerSchema.Parse("s", document.RootElement);
        var answers = new HashSet<string>();
        for (var n = 0; n < 50; n++)
        {
            var answer = await probe.TextAsync(SimulatorProbe.Ask($"q{n}", Format));
            Assert.True(schema.Faults(answer).Count == 0, answer + string.Join("; ", schema.Faults(answer)));
            answers.Add(answer);
        }
        Assert.InRange(answers.Count, 40, 50);
        Assert.Contains(await probe.TextAsync(SimulatorProbe.Ask("q7", Format)), answers);
    }

    [Theory]
    [InlineData(1, 60, 60)]
    [InlineData(0.5, 15, 45)]
    public async Task A_share_of_them_does_not_fit(double share, int least, int most)
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions { MisfitShare = share, CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var document = JsonDocument.Parse(Schema);
        var schema = AnswerSchema.Parse("s", document.RootElement);
        var faults = new List<string>();
        for (var n = 0; n < 60; n++)
            faults.AddRange(schema.Faults(await probe.TextAsync(SimulatorProbe.Ask($"q{n}", Format))).Take(1));
        Assert.InRange(faults.Count, least, most);
        Assert.Contains(faults, fault => fault.StartsWith("not JSON", StringComparison.Ordinal));
        Assert.Contains("#/: object expected", faults);
    }

    [Fact]
    public async Task A_schema_that_is_none_is_refused()
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions());
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("q", ""","response_format":{"type":"json_schema","json_schema":{"schema":{"enum":3}}}"""));
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("invalid_json_schema", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Offered_tools_are_called_until_a_result_is_there()
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions());
        using var probe = new SimulatorProbe(simulator);
        var choice = (await probe.AnswerAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("q", Tools + Format))).GetProperty("choices")[0];
        Assert.Equal(("tool_calls", JsonValueKind.Null), (choice.GetProperty("finish_reason").GetString(), choice.GetProperty("message").GetProperty("content").ValueKind));
        var call = choice.GetProperty("message").GetProperty("tool_calls")[0];
        Assert.Equal(("clock-now", """{"zone":"UTC"}"""), (call.GetProperty("function").GetProperty("name").GetString(), call.GetProperty("function").GetProperty("arguments").GetString()));

        var told = """{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","tool_call_id":"c","content":"12:00"}]""" + Tools + Format + "}";
        Assert.StartsWith("{", await probe.TextAsync(told), StringComparison.Ordinal);
        Assert.StartsWith("{", await probe.TextAsync(SimulatorProbe.Ask("q", Tools + Format + ",\"tool_choice\":\"none\"")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_streamed_call_of_a_tool_is_one_event()
    {
        await using var simulator = await LlmSimulator.StartAsync(new SimulatorOptions());
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("q", Tools + ",\"stream\":true"));
        var events = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Single(events, e => e.Contains("\"tool_calls\":[{\"index\":0,", StringComparison.Ordinal));
        Assert.Single(events, e => e.Contains("\"finish_reason\":\"tool_calls\"", StringComparison.Ordinal));
    }
}
