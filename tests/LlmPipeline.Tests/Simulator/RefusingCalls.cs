using System.Net;
using System.Text.Json;

namespace LlmPipeline.Tests;

public sealed class RefusingCalls
{
    [Theory]
    [InlineData("v1/chat/completions", "", null)]
    [InlineData("v1/chat/completions", "{\"model\":\"m\",", null)]
    [InlineData("v1/chat/completions", "[]", null)]
    [InlineData("v1/chat/completions", "{} {}", null)]
    [InlineData("v1/chat/completions", """{"model":"m"}""", "messages")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":null}""", "messages")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":[]}""", "messages")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":["a"]}""", "messages[0]")]
    [InlineData("v1/chat/completions", """{"messages":[{"role":"user","content":"a"}]}""", null)]
    [InlineData("v1/chat/completions", """{"model":{},"messages":[{"role":"user","content":"a"}]}""", "model")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"a"}],"n":1.5}""", "n")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":0}""", "max_tokens")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"a"}],"stream":1}""", "stream")]
    [InlineData("v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"yaml"}}""", "response_format.type")]
    [InlineData("v1/completions", """{"model":"m"}""", "prompt")]
    [InlineData("v1/embeddings", """{"model":"m","input":[]}""", "input")]
    [InlineData("v1/embeddings", """{"model":"m","input":[["a"]]}""", "input")]
    [InlineData("v1/embeddings", """{"model":"m","input":"a","dimensions":99999}""", "dimensions")]
    public async Task What_is_no_proper_request_is_a_400_that_names_the_field(string path, string body, string? param)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(path, body);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("error");
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.True(error.TryGetProperty("code", out _));
    }

    [Theory]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"\\u0000\\u0007\"")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("[\"a\",1,{\"type\":\"text\"},{\"type\":\"text\",\"text\":{}}]")]
    public async Task Odd_content_is_answered_all_the_same(string content)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, $$"""{"messages":[{"role":"user","content":{{content}},"x":[[]]}],"y":{"messages":1},"model":"m"}""");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Bytes_that_are_no_UTF8_do_not_break_it()
    {
        var meter = await TokenMeter.LoadAsync(exact: true);
        byte[] body = [.. "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\""u8, 0xFF, 0xC3, .. "\"}]}"u8];
        var (request, problem) = CallRequestReader.Read(CallKind.Chat, body, meter);
        Assert.Null(problem);
        Assert.InRange(request.PromptTokens, 8, 12);
    }

    [Fact]
    public async Task A_wrong_key_is_a_401_and_the_right_one_is_not()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { ApiKey = "sk-1", CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var wrong = await probe.AnswerAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("Authorization", "Bearer sk-2"));
        Assert.Equal("invalid_api_key", wrong.GetProperty("error").GetProperty("code").GetString());
        using var none = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        using var right = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("Authorization", "Bearer sk-1"));
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
    }

    [Theory]
    [InlineData(400, null)]
    [InlineData(401, "invalid_api_key")]
    [InlineData(403, "unsupported_country_region_territory")]
    [InlineData(404, "model_not_found")]
    [InlineData(422, null)]
    [InlineData(429, "rate_limit_exceeded")]
    [InlineData(502, null)]
    public async Task A_status_can_be_the_answer_to_everything(int status, string? code)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { AlwaysStatus = status, CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(1, simulator.Stats.Statuses[status]);
        Assert.Equal(0, simulator.Stats.Completed);
    }

    [Theory]
    [InlineData("v1/images/generations")]
    [InlineData("chat/completions")]
    [InlineData("")]
    public async Task An_unknown_route_is_a_404_in_the_shape_of_an_error(string path)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(path, "{}");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("invalid_request_error", JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("error").GetProperty("type").GetString());
        Assert.Equal(0, simulator.Stats.Calls);
    }

    [Fact]
    public async Task A_body_over_64_MB_is_a_413_and_one_below_is_read()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var large = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask(new string('x', 10_000_000)));
        Assert.Equal(HttpStatusCode.OK, large.StatusCode);
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(simulator.Address.Host, simulator.Address.Port);
        await socket.GetStream().WriteAsync("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 67108865\r\n\r\n"u8.ToArray());
        var head = new byte[12];
        await socket.GetStream().ReadExactlyAsync(head);
        Assert.Equal("HTTP/1.1 413", System.Text.Encoding.ASCII.GetString(head));
    }

    [Theory]
    [InlineData(nameof(SimulatorOptions.FailShare))]
    [InlineData(nameof(SimulatorOptions.Port))]
    [InlineData(nameof(SimulatorOptions.Latency))]
    [InlineData(nameof(SimulatorOptions.AlwaysStatus))]
    [InlineData(nameof(SimulatorOptions.Faults))]
    public async Task Options_out_of_bounds_are_named(string field)
    {
        var options = new SimulatorOptions();
        var property = typeof(SimulatorOptions).GetProperty(field)!;
        property.SetValue(options, field switch
        {
            nameof(SimulatorOptions.FailShare) => 1.5,
            nameof(SimulatorOptions.Latency) => TimeSpan.FromMilliseconds(-1),
            nameof(SimulatorOptions.Faults) => Array.Empty<FaultKind>(),
            _ => 70_000,
        });
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => LlmSimulator.StartAsync(options));
        Assert.Contains(field, refused.Message, StringComparison.Ordinal);
    }
}
