using System.Text.Json.Nodes;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class SpendingMoney : IDisposable
{
    private const int Concurrency = 4;
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task The_report_tells_what_the_usage_of_all_answers_costs()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(30));

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--json");

        Assert.True(exitCode == 0, error);
        var answers = _llmpipe.Lines("in.results.jsonl").Select(line => JsonNode.Parse(line)!["response"]!["body"]!["usage"]!).ToList();
        var cost = answers.Sum(usage => ((long)usage["prompt_tokens"]! * 0.15m) + ((long)usage["completion_tokens"]! * 0.60m)) / 1_000_000;
        var report = JsonNode.Parse(output)!;
        Assert.Equal(cost, (decimal)report["cost"]!);
        Assert.Equal(cost, (decimal)report["batch_cost"]!);
        Assert.Contains("prompt tokens, 7,680 completion tokens (assumed: 256 an answer, or a row's limit where that is lower), cost about 0.00", error);
        Assert.Contains($"cost {cost.ToString(System.Globalization.CultureInfo.InvariantCulture)}", error);
    }

    [Fact]
    public async Task Without_prices_nothing_is_said_to_cost_nothing()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));

        var (_, checkedOut, checkedError) = await _llmpipe.RunAsync("run", "in.jsonl", "--check", "--json");
        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--json");

        Assert.True(exitCode == 0, error);
        Assert.Contains("cost unknown", checkedError);
        Assert.Null(JsonNode.Parse(checkedOut)!["cost"]);
        Assert.DoesNotContain("\"cost\"", output);
        Assert.DoesNotContain("cost 0", error);
        Assert.Equal(["in.jsonl", "in.results.jsonl"], Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_check_tells_what_it_will_cost_and_calls_nobody()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl", Enumerable.Range(1, 1000).Select(n => Rows.Json(new { model = "gpt-4o-mini", max_tokens = 100, messages = new[] { new { role = "user", content = "one two three" } } })));

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--check", "--json");

        Assert.True(exitCode == 0, error);
        var report = JsonNode.Parse(output)!;
        var (prompt, completion) = ((long)report["prompt_tokens"]!, (long)report["completion_tokens"]!);
        Assert.Equal(100_000, completion);
        Assert.InRange(prompt, 3_000, 10_000);
        Assert.Equal(((prompt * 0.15m) + (completion * 0.60m)) / 1_000_000, (decimal)report["cost"]!);
        Assert.Contains("cost about 0.06", error);
        Assert.Equal(0, endpoint.Stats.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task At_its_budget_a_run_stops_with_3_and_a_larger_one_goes_on_where_it_was(bool onRedis)
    {
        const int Count = 200;
        await using var endpoint = await StartAsync();
        await using var redis = onRedis ? await RedisServer.StartAsync() : null;
        _llmpipe.Write("in.jsonl", Rows.BatchLines(Count));
        string[] run = ["run", "in.jsonl", "--json", "--concurrency", $"{Concurrency}", .. redis is null ? [] : new[] { "--redis", redis.Address }];

        var (exitCode, output, error) = await _llmpipe.RunAsync([.. run, "--budget", "0.0005"]);
        var first = JsonNode.Parse(output)!;
        var calls = endpoint.Stats.Calls;
        var again = await _llmpipe.RunAsync([.. run, "--budget", "0.0005"]);
        var callsAgain = endpoint.Stats.Calls;
        var rest = await _llmpipe.RunAsync([.. run, "--budget", "1.00"]);

        Assert.True(exitCode == 3, error);
        Assert.Contains("the budget of 0.0005 is reached", error);
        Assert.Contains("with a larger --budget goes on", error);
        var mean = (decimal)first["cost"]! / (int)first["completed_rows"]!;
        Assert.Equal(calls, (int)first["completed_rows"]!);
        // The calls that ran when it was reached end, and those that were claimed before it was known.
        Assert.InRange((decimal)first["cost"]!, 0.0005m, 0.0005m + (mean * 2 * Concurrency));
        Assert.True(again.ExitCode == 3, again.Error);
        Assert.Equal(calls, callsAgain);
        Assert.True(rest.ExitCode == 0, rest.Error);
        Assert.Equal(Count, endpoint.Stats.Calls);
        var last = JsonNode.Parse(rest.Out)!;
        Assert.Equal((decimal)first["cost"]! + (decimal)last["cost"]!, (decimal)last["batch_cost"]!);
        Assert.Equal(Count, _llmpipe.Lines("in.results.jsonl").Length);
    }

    [Fact]
    public async Task What_a_killed_run_has_spent_counts()
    {
        await using var endpoint = await StartAsync();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(400));
        using var process = _llmpipe.Start("run", "in.jsonl", "--concurrency", $"{Concurrency}");
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Completed >= 60 && _llmpipe.Exists("in.results.jsonl.spent")), "answers are on disk");
        process.Kill();
        await process.WaitForExitAsync();
        var calls = endpoint.Stats.Calls;

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--json", "--budget", "0.00001");

        Assert.True(exitCode == 3, error);
        Assert.Equal(calls, endpoint.Stats.Calls);
        Assert.True((decimal)JsonNode.Parse(output)!["batch_cost"]! > 0.0001m, output);
    }

    [Fact]
    public async Task Answers_without_usage_are_not_free_where_there_is_a_budget()
    {
        await using var endpoint = new Tests.RawEndpoint(
            (_, _) =>
                new Tests.RawReply(
                    200, """{"choices":[{"index":0,"message":{"role":"assistant","content":"four"},"finish_reason":"stop"}]}"""));
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.Url + "/v1";
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__Input"] = "0.15";
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__Output"] = "0.60";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(200));

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--json", "--concurrency", "1", "--budget", "0.00005");

        Assert.True(exitCode == 3, error);
        Assert.Contains("the budget of 0.00005 is reached", error);
        Assert.Contains("answers told no usage: their tokens are estimated", error);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((int)report["completed_rows"]!, (int)report["usage_estimated"]!);
        Assert.InRange(endpoint.Requests.Count, 1, 100);
    }

    [Theory]
    // https://platform.openai.com/docs/api-reference/embeddings/create: tokens, and lists of them.
    [InlineData("""{"model":"text-embedding-3-small","input":[[1,2,3],[4,5]]}""", 5, 0)]
    [InlineData("""{"model":"text-embedding-3-small","input":[101,102,103,104]}""", 4, 0)]
    [InlineData("""{"custom_id":"r","method":"POST","url":"/v1/embeddings","body":{"model":"bge-m3","input":[1,2,3]}}""", 3, 0)]
    // Three that begin the answer, three of the message, its role and its word; five answers.
    [InlineData(
        """{"custom_id":"r","method":"POST","url":"/v1/chat/completions","body":{"model":"m","n":5,"max_tokens":200,"messages":["""
            + """{"role":"user","content":"hello"}]}}""", 8, 1000)]
    // https://platform.openai.com/docs/api-reference/completions/create: each of several prompts has n answers.
    [InlineData(
        """{"custom_id":"r","method":"POST","url":"/v1/completions","body":{"model":"m","max_tokens":7,"n":2,"prompt":"""
            + """["one","two","three"]}}""", 3, 42)]
    [InlineData(
        """{"custom_id":"r","method":"POST","url":"/v1/completions","body":{"model":"m","max_tokens":7,"prompt":[[1,2],[3]]}}""", 3, 14)]
    [InlineData("""{"custom_id":"r","method":"POST","url":"/v1/completions","body":{"model":"m","max_tokens":7,"prompt":[1,2,3]}}""", 3, 7)]
    // A picture of low detail counts 85, whatever its data; its type counts two.
    [InlineData(
        """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image_url","image_url":"""
            + """{"detail":"low","url":"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}]}]}""", 94, 1)]
    public async Task A_check_counts_as_the_quota_does(string row, long prompt, long completion)
    {
        _llmpipe.Write("in.jsonl", [row]);

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--check", "--json");

        Assert.True(exitCode == 0, error);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((prompt, completion), ((long)report["prompt_tokens"]!, (long)report["completion_tokens"]!));
    }

    [Fact]
    public async Task A_check_of_a_prompt_function_counts_the_request_that_is_made_of_it()
    {
        _llmpipe.Write("in.jsonl", ["""{"question":"1+1"}"""]);

        var (exitCode, output, error) = await _llmpipe.RunAsync(
            "run", "in.jsonl", "--prompt", "solve-math", "--set", "n=3", "--set", "max_completion_tokens=10", "--check", "--json");

        Assert.True(exitCode == 0, error);
        Assert.Equal(30, (long)JsonNode.Parse(output)!["completion_tokens"]!);
    }

    [Theory]
    [InlineData("--budget 0", "--budget 0: an amount above 0 is needed")]
    [InlineData("--budget -5", "--budget -5: an amount above 0 is needed")]
    [InlineData("--budget five", "--budget five: an amount above 0 is needed")]
    [InlineData("--budget 1,5", "--budget 1,5: an amount above 0 is needed")]
    [InlineData("--budget 1 --config other.json", "--budget: what gpt-4o-mini costs is not known")]
    [InlineData("--config negative.json", "Prices[gpt-4o-mini].Output: -0.6 is not from 0 to 10000")]
    [InlineData("--config half.json", "Prices[gpt-4o-mini].Output: is missing")]
    [InlineData("--config word.json", "word.json: Prices:gpt-4o-mini:Input: 'cheap' is not a number")]
    [InlineData("--config typo.json", "there is no such setting: Prices:gpt-4o-mini:Inptu")]
    public async Task A_budget_or_a_price_that_cannot_be_is_said_and_nothing_is_sent(string options, string said)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));
        _llmpipe.Write("other.json", """{"Prices":{"llama3:8b":{"Input":1,"Output":1}}}""");
        _llmpipe.Write("negative.json", """{"Prices":{"gpt-4o-mini":{"Input":0.15,"Output":-0.6}}}""");
        _llmpipe.Write("half.json", """{"Prices":{"gpt-4o-mini":{"Input":0.15}}}""");
        _llmpipe.Write("word.json", """{"Prices":{"gpt-4o-mini":{"Input":"cheap","Output":1}}}""");
        _llmpipe.Write("typo.json", """{"Prices":{"gpt-4o-mini":{"Inptu":1,"Output":1}}}""");

        var (exitCode, output, error) = await _llmpipe.RunAsync(["run", "in.jsonl", .. options.Split(' ')]);

        Assert.True(exitCode == 2, error);
        Assert.Contains(said, error);
        Assert.Empty(output);
        Assert.DoesNotContain("   at ", error);
        Assert.Equal(0, endpoint.Stats.Calls);
    }

    private async Task<LlmSimulator> StartAsync()
    {
        var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(15) });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__Input"] = "0.15";
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__CachedInput"] = "0.075";
        _llmpipe.Environment["LLMPIPE__Prices__gpt-4o-mini__Output"] = "0.60";
        return endpoint;
    }
}
