using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class AskingOnce : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rows_that_ask_the_same_are_called_once_and_answered_under_their_own_names_in_order(bool onRedis)
    {
        await using var endpoint = await StartAsync();
        await using var redis = onRedis ? await RedisServer.StartAsync() : null;
        _llmpipe.Write("in.jsonl", Repeated(90, of: 20));

        var (exitCode, output, error) = await _llmpipe.RunAsync(["run", "in.jsonl", "--dedupe", "--json", .. redis is null ? [] : new[] { "--redis", redis.Address }]);

        Assert.True(exitCode == 0, error);
        Assert.Equal(20, endpoint.Stats.Calls);
        var lines = _llmpipe.Lines("in.results.jsonl");
        Assert.Equal(Enumerable.Range(1, 90).Select(n => $"row-{n}"), Rows.CustomIds(lines));
        var batch = (string)JsonNode.Parse(output)!["batch"]!;
        for (var row = 1; row <= 90; row++)
        {
            var line = JsonNode.Parse(lines[row - 1])!;
            Assert.Equal($"batch_req_{batch}.{row}", (string)line["id"]!);
            Assert.Equal(Response(lines[(row - 1) % 20]), Response(lines[row - 1]));
        }

        Assert.Equal(20, lines.Select(Response).Distinct().Count());
        Assert.Equal(70, (int)JsonNode.Parse(output)!["saved_calls"]!);
        Assert.Contains("70 calls saved", error);
        if (redis is null)
            return;
        var copy = JsonNode.Parse((await _llmpipe.RunAsync("result", $"{batch}.41", "--json", "--redis", redis.Address)).Out)!;
        Assert.Equal($"{batch}.1", (string)copy["meta"]!["copy_of"]!);
        Assert.Equal(0, (decimal)copy["meta"]!["cost"]!);
        Assert.Equal("row-41", (string)copy["custom_id"]!);
        var cost = (decimal)JsonNode.Parse((await _llmpipe.RunAsync("status", batch, "--json", "--redis", redis.Address)).Out)!["cost"]!;
        Assert.Equal((decimal)JsonNode.Parse(output)!["cost"]!, cost);
    }

    [Fact]
    public async Task What_is_written_differently_and_means_the_same_is_the_same_and_what_differs_is_not()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl",
        [
            """{"model":"m","messages":[{"role":"user","content":"été"}],"temperature":0}""",
            """{ "temperature": 0, "messages": [ {"content":"\u00e9t\u00e9", "role":"user"} ], "model":"m" }""",
            """{"model":"n","messages":[{"role":"user","content":"été"}],"temperature":0}""",
            """{"model":"m","messages":[{"role":"user","content":"été"}],"temperature":1}""",
            """{"model":"m","messages":[{"role":"user","content":"ete"}],"temperature":0}""",
            """{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":{"a":{},"b":{}}}}}}""",
            """{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":{"b":{},"a":{}}}}}}""",
        ]);

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--dedupe");

        Assert.True(exitCode == 0, error);
        Assert.Equal(6, endpoint.Stats.Calls);
        Assert.Contains("1 calls saved", error);
    }

    [Fact]
    public async Task Rows_of_a_prompt_function_are_the_same_when_its_variables_are()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl", Enumerable.Range(1, 30).Select(n => Rows.Json(new { custom_id = $"row-{n}", question = $"How much is {n % 3}?" })));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--prompt", "solve-math", "--dedupe");

        Assert.True(exitCode == 0, error);
        Assert.Equal(3, endpoint.Stats.Calls);
        Assert.Equal(Enumerable.Range(1, 30).Select(n => $"row-{n}"), Rows.CustomIds(_llmpipe.Lines("in.results.jsonl")));
    }

    [Fact]
    public async Task One_that_fails_fails_those_that_ask_the_same_and_a_retry_calls_once_more()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false, Script = [FaultKind.ContentFilter] });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Repeated(5, of: 1));

        var failed = await _llmpipe.RunAsync("run", "in.jsonl", "--dedupe");
        var errors = _llmpipe.Lines("in.errors.jsonl");
        var retried = await _llmpipe.RunAsync("run", "in.jsonl", "--dedupe", "--retry-failed");

        Assert.True(failed.ExitCode == 3, failed.Error);
        Assert.Equal(["row-1", "row-2", "row-3", "row-4", "row-5"], Rows.CustomIds(errors));
        Assert.Single(errors.Select(Response).Distinct());
        Assert.True(retried.ExitCode == 0, retried.Error);
        Assert.Equal(2, endpoint.Stats.Calls);
        Assert.Equal(5, _llmpipe.Lines("in.results.jsonl").Length);
    }

    [Fact]
    public async Task An_answer_of_an_earlier_run_serves_those_that_ask_the_same()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl", Repeated(12, of: 4));
        await _llmpipe.RunAsync("run", "in.jsonl", "--limit", "6");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--dedupe");

        Assert.True(exitCode == 0, error);
        Assert.Equal(6, endpoint.Stats.Calls);
        Assert.Equal(12, _llmpipe.Lines("in.results.jsonl").Length);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task Killed_it_goes_on_and_calls_nothing_twice_but_what_was_in_flight()
    {
        const int Distinct = 200;
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(30), CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Repeated(3 * Distinct, of: Distinct));
        for (var kill = 1; kill <= 3; kill++)
        {
            var before = endpoint.Stats.Completed;
            using var process = _llmpipe.Start("run", "in.jsonl", "--dedupe", "--concurrency", "4");
            await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Completed >= before + 30 || process.HasExited), "the run goes on");
            process.Kill();
            await process.WaitForExitAsync();
        }

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--dedupe", "--concurrency", "4");

        Assert.True(exitCode == 0, error);
        Assert.InRange(endpoint.Stats.Calls - Distinct, 0, 3 * 3 * 4);
        var lines = _llmpipe.Lines("in.results.jsonl");
        Assert.Equal(Enumerable.Range(1, 3 * Distinct).Select(n => $"row-{n}"), Rows.CustomIds(lines));
        Assert.Equal(Distinct, lines.Select(Response).Distinct().Count());
    }

    [Fact]
    public async Task A_check_tells_how_many_calls_it_would_save()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl", Repeated(50, of: 10));

        var all = JsonNode.Parse((await _llmpipe.RunAsync("run", "in.jsonl", "--check", "--json")).Out)!;
        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--check", "--dedupe", "--json");

        Assert.True(exitCode == 0, error);
        Assert.Contains("40 rows ask the same as others", error);
        var report = JsonNode.Parse(output)!;
        Assert.Equal(40, (int)report["saved_calls"]!);
        Assert.Equal(10 * 256, (int)report["completion_tokens"]!);
        Assert.Equal(50 * 256, (int)all["completion_tokens"]!);
        Assert.Equal(0, endpoint.Stats.Calls);
    }

    private static IEnumerable<string> Repeated(int rows, int of) => Enumerable.Range(1, rows).Select(n => Rows.Json(new
    {
        custom_id = $"row-{n}",
        method = "POST",
        url = "/v1/chat/completions",
        body = new { model = "gpt-4o-mini", messages = new[] { new { role = "user", content = $"What is {(n - 1) % of}?" } } },
    }));

    private static string Response(string line) => line[line.IndexOf(",\"response\":", StringComparison.Ordinal)..];

    private async Task<LlmSimulator> StartAsync()
    {
        var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__Input"] = "0.15";
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__Output"] = "0.60";
        return endpoint;
    }
}
