using System.Diagnostics;
using System.Text.Json.Nodes;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class FailingEndpoints : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public static TheoryData<bool> Redis => [false, true];

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [MemberData(nameof(Redis))]
    public async Task Every_row_completes_while_a_fifth_of_the_calls_fail(bool onRedis)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { FailShare = 0.2, CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.Questions(400));

        var (exitCode, _, error) = await RunAsync(onRedis, "run", "in.jsonl", "--prompt", "solve-math", "-o", "out.jsonl", "--attempt-timeout", "2", "--max-attempts", "20", "--concurrency", "64");

        Assert.True(exitCode == 0, error);
        Assert.Equal(Rows.LineNames(400), Rows.CustomIds(_llmpipe.Lines("out.jsonl")));
        Assert.False(_llmpipe.Exists("out.errors.jsonl"));
        Assert.True(endpoint.Stats.Faults.Values.Sum() > 40);
        Assert.Equal(0, endpoint.Stats.PaidTwice);
    }

    [Fact]
    public async Task A_run_is_not_slowed_down_for_good_by_calls_that_are_refused_at_any_rate()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { FailShare = 0.2, Faults = [FaultKind.TooManyRequests], CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(400));
        var start = Stopwatch.StartNew();

        var (exitCode, _, error) = await RunAsync(onRedis: true, "run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Equal(400, _llmpipe.Lines("in.results.jsonl").Length);
        Assert.True(endpoint.Stats.Faults.Values.Sum() > 40);
        // If each refusal cut what is called a minute it would come to two calls a second.
        Assert.InRange(start.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(120));
    }

    [Theory]
    [MemberData(nameof(Redis))]
    public async Task A_refused_row_fails_with_the_endpoints_own_body_when_it_is_to_go_on(bool onRedis)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { AlwaysStatus = 400, CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(60));

        var (exitCode, _, error) = await RunAsync(onRedis, "run", "in.jsonl", "--keep-going");

        Assert.True(exitCode == 3, error);
        Assert.False(_llmpipe.Exists("in.results.jsonl"));
        var lines = _llmpipe.Lines("in.errors.jsonl").Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(60, lines.Count);
        Assert.All(lines, line => Assert.Equal(400, (int?)line["response"]!["status_code"]));
        Assert.All(lines, line => Assert.NotNull((string?)line["response"]!["body"]!["error"]!["message"]));
        Assert.All(lines, line => Assert.Null(line["error"]));
        Assert.Equal(60, endpoint.Stats.Calls);
    }

    [Theory]
    [MemberData(nameof(Redis))]
    public async Task Failed_rows_run_again_when_asked_and_only_those(bool onRedis)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { AlwaysStatus = 400, CountTokens = false });
        _llmpipe.Write("in.jsonl", Rows.BatchLines(20));
        _llmpipe.Write("llmpipe.json", Rows.Json(new { Deployments = new[] { new { Name = "one", Endpoint = endpoint.BaseUrl.ToString() } } }));
        await using var redis = onRedis ? await RedisServer.StartAsync() : null;
        string[] arguments = ["run", "in.jsonl", "--keep-going", .. redis is null ? Array.Empty<string>() : ["--redis", redis.Address]];
        var failed = await _llmpipe.RunAsync(arguments);

        var plain = await _llmpipe.RunAsync(arguments);
        var callsAfterPlain = endpoint.Stats.Calls;
        var retried = await _llmpipe.RunAsync([.. arguments, "--retry-failed"]);

        Assert.Equal(3, failed.ExitCode);
        Assert.Equal(3, plain.ExitCode);
        Assert.Equal(20, callsAfterPlain);
        Assert.True(retried.ExitCode == 3, retried.Error);
        Assert.Equal(40, endpoint.Stats.Calls);
        Assert.Equal(20, _llmpipe.Lines("in.errors.jsonl").Length);
    }

    [Theory]
    [MemberData(nameof(Redis))]
    public async Task A_wrong_key_burns_no_row_and_the_run_goes_on_with_the_right_one(bool onRedis)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { ApiKey = "right", CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Environment["OPENAI_API_KEY"] = "wrong";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(200));
        await using var redis = onRedis ? await RedisServer.StartAsync() : null;
        string[] arguments = redis is null ? ["run", "in.jsonl"] : ["run", "in.jsonl", "--redis", redis.Address];

        var refused = await _llmpipe.RunAsync(arguments);
        var written = Directory.GetFiles(_llmpipe.Folder, "*.errors.jsonl").Length;
        _llmpipe.Environment["OPENAI_API_KEY"] = "right";
        var resumed = await _llmpipe.RunAsync(arguments);

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("401", refused.Error);
        Assert.Contains("API key", refused.Error);
        Assert.DoesNotContain("wrong", refused.Error.Replace("wrong key", ""));
        Assert.Equal(0, written);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal(200, _llmpipe.Lines("in.results.jsonl").Length);
        Assert.Equal(200, endpoint.Stats.Completed);
    }

    [Theory]
    [MemberData(nameof(Redis))]
    public async Task A_batch_whose_first_rows_fail_alike_stops_and_loses_none(bool onRedis)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { AlwaysStatus = 400, CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(60));

        var (exitCode, _, error) = await RunAsync(onRedis, "run", "in.jsonl");

        Assert.True(exitCode == 1, error);
        Assert.Contains("--keep-going", error, StringComparison.Ordinal);
        Assert.False(_llmpipe.Exists("in.errors.jsonl"));
        Assert.InRange(endpoint.Stats.Calls, 5, 12);
    }

    [Fact]
    public async Task The_rows_of_other_models_finish_beside_one_that_is_unknown()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Models = ["known"], CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Enumerable.Range(1, 100).Select(n => Rows.Json(new
        {
            custom_id = $"r{n}",
            method = "POST",
            url = "/v1/chat/completions",
            body = new { model = n % 2 == 0 ? "known" : "unknown", messages = new[] { new { role = "user", content = $"question {n}" } } },
        })));

        var (exitCode, _, error) = await RunAsync(onRedis: false, "run", "in.jsonl", "--concurrency", "4");

        Assert.True(exitCode == 1, error);
        Assert.Contains("unknown", error, StringComparison.Ordinal);
        Assert.Contains("100 rows: 50 completed, 0 failed", error, StringComparison.Ordinal);
        Assert.InRange(endpoint.Stats.Completed, 50, 50);
    }

    private async Task<(int ExitCode, string Out, string Error)> RunAsync(bool onRedis, params string[] arguments)
    {
        if (!onRedis)
            return await _llmpipe.RunAsync(arguments);
        await using var redis = await RedisServer.StartAsync();
        return await _llmpipe.RunAsync([.. arguments, "--redis", redis.Address]);
    }
}
