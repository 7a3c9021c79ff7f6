using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class RunningAFile : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task The_sample_questions_are_answered_in_order_without_key_or_server()
    {
        File.Copy(Path.Join(Repository.Root, "prompts", "samples", "questions.jsonl"), _llmpipe.PathOf("questions.jsonl"));

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "questions.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Contains("\nNo endpoint is set", error);
        Assert.Contains("synthetic", error);
        Assert.Empty(output);
        Assert.Equal(Rows.CustomIds(_llmpipe.Lines("questions.jsonl")), Rows.CustomIds(_llmpipe.Lines("questions.results.jsonl")));
        Assert.Equal(20, _llmpipe.Lines("questions.results.jsonl").Length);
        Assert.Equal(["questions.jsonl", "questions.results.jsonl"], Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task The_same_command_again_calls_nobody_and_keeps_the_answers()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions());
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(30));
        await _llmpipe.RunAsync("run", "in.jsonl");
        var answers = _llmpipe.Lines("in.results.jsonl");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Equal(30, endpoint.Stats.Calls);
        Assert.Equal(answers, _llmpipe.Lines("in.results.jsonl"));
    }

    [Fact]
    public async Task A_deliberate_rerun_calls_for_every_row_again()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions());
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(10));
        await _llmpipe.RunAsync("run", "in.jsonl");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--again");

        Assert.True(exitCode == 0, error);
        Assert.Equal(20, endpoint.Stats.Calls);
        Assert.Equal(10, _llmpipe.Lines("in.results.jsonl").Length);
    }

    [Fact]
    public async Task Simulated_answers_are_never_taken_for_real_ones()
    {
        _llmpipe.Write("in.jsonl", Rows.BatchLines(10));
        await _llmpipe.RunAsync("run", "in.jsonl");
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Seed = 99 });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.DoesNotContain("synthetic", error);
        Assert.Equal(10, endpoint.Stats.Completed);
        Assert.All(_llmpipe.Lines("in.results.jsonl"), line => Assert.Contains("\"batch_req_b-", line));
    }

    [Fact]
    public async Task Another_files_answers_are_not_overwritten_without_force()
    {
        _llmpipe.Write("one.jsonl", Rows.BatchLines(3));
        _llmpipe.Write("two.jsonl", Rows.BatchLines(4));
        await _llmpipe.RunAsync("run", "two.jsonl", "-o", "out.jsonl");
        var answers = _llmpipe.Lines("out.jsonl");

        var refused = await _llmpipe.RunAsync("run", "one.jsonl", "-o", "out.jsonl");
        var unchanged = _llmpipe.Lines("out.jsonl");
        var forced = await _llmpipe.RunAsync("run", "one.jsonl", "-o", "out.jsonl", "--force");

        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("--force", refused.Error);
        Assert.Equal(answers, unchanged);
        Assert.True(forced.ExitCode == 0, forced.Error);
        Assert.Equal(3, _llmpipe.Lines("out.jsonl").Length);
    }

    [Fact]
    public async Task A_limit_runs_the_first_rows_and_a_later_run_only_the_rest()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions());
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(12));

        var first = await _llmpipe.RunAsync("run", "in.jsonl", "--limit", "5");
        var five = _llmpipe.Lines("in.results.jsonl");
        var second = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Equal(["row-1", "row-2", "row-3", "row-4", "row-5"], Rows.CustomIds(five));
        Assert.True(second.ExitCode == 0, second.Error);
        Assert.Equal(12, endpoint.Stats.Calls);
        Assert.Equal(12, _llmpipe.Lines("in.results.jsonl").Length);
    }

    [Fact]
    public async Task A_table_gets_the_answers_beside_its_columns()
    {
        _llmpipe.Write("in.csv", ["question,answer", "\"What, then?\",none", "Really?,yes"]);

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.csv", "--prompt", "solve-math", "-o", "out.csv");

        Assert.True(exitCode == 0, error);
        var lines = _llmpipe.Lines("out.csv");
        Assert.Equal("question,answer,llm_answer,error", lines[0]);
        Assert.StartsWith("\"What, then?\",none,", lines[1]);
        Assert.Equal(3, lines.Length);
        Assert.Equal(2, _llmpipe.Lines("out.results.jsonl").Length);
    }

    [Fact]
    public async Task Plain_text_takes_model_system_message_and_settings()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Record = true });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.txt", "One \"quoted\" <line> & more 🎈\n\nTwo\n");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.txt", "--model", "llama3", "--system", "Be brief.", "--set", "temperature=0", "--set", "user=me");

        Assert.True(exitCode == 0, error);
        var bodies = endpoint.Requests.Select(r => JsonNode.Parse(r.Body.Span)!).OrderBy(b => (string?)b["messages"]![1]!["content"], StringComparer.Ordinal).ToList();
        Assert.Equal(2, bodies.Count);
        Assert.Equal("llama3", (string?)bodies[0]["model"]);
        Assert.Equal("Be brief.", (string?)bodies[0]["messages"]![0]!["content"]);
        Assert.Equal("One \"quoted\" <line> & more 🎈", (string?)bodies[0]["messages"]![1]!["content"]);
        Assert.Equal(0, (int?)bodies[0]["temperature"]);
        Assert.Equal("me", (string?)bodies[0]["user"]);
        Assert.Equal(["line-1", "line-3"], Rows.CustomIds(_llmpipe.Lines("in.results.jsonl")));
    }

    [Fact]
    public async Task The_report_is_json_on_standard_output_when_asked_for()
    {
        _llmpipe.Write("in.jsonl", Rows.BatchLines(7));

        var (exitCode, output, _) = await _llmpipe.RunAsync("run", "in.jsonl", "--json");

        Assert.Equal(0, exitCode);
        var report = JsonNode.Parse(output)!;
        Assert.Equal(7, (int?)report["rows"]);
        Assert.Equal(7, (int?)report["completed_rows"]);
        Assert.Equal(0, (int?)report["failed_rows"]);
        Assert.True((bool?)report["simulated"]);
        Assert.True((long?)report["input_tokens"] > 0);
    }

    [Fact]
    public async Task A_check_tells_rows_and_tokens_and_sends_and_writes_nothing()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions());
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(7));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--check");

        Assert.True(exitCode == 0, error);
        Assert.Contains("7 rows for gpt-4o-mini", error);
        Assert.Contains("prompt tokens", error);
        Assert.Equal(0, endpoint.Stats.Calls);
        Assert.Equal(["in.jsonl"], Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName));
    }
}
