using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary><c>run --fleet</c>, and the way from <c>submit</c> to a table: the workers make the calls, and no row is called twice.</summary>
[Trait("Category", "Slow")]
public sealed class RunningOnAFleet(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task It_submits_waits_and_writes_and_submit_of_the_same_file_is_the_same_batch_whatever_the_endpoint()
    {
        const int Count = 40;
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", Count, n => n == 7);
        var before = house.Llm.Stats.Calls;

        var (exitCode, text, error) = await _desk.RunAsync("run", "in.jsonl", "--fleet", "-o", "out.jsonl", "--json");

        Assert.True(exitCode == 3, error);
        var report = JsonNode.Parse(text)!;
        Assert.Equal((Count - 1, 1), ((int)report["completed_rows"]!, (int)report["failed_rows"]!));
        Assert.Equal((Count - 1, 1), (_desk.Llmpipe.Lines("out.jsonl").Length, _desk.Llmpipe.Lines("out.errors.jsonl").Length));
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1";
        var submitted = await _desk.JsonAsync(0, "submit", "in.jsonl");
        Assert.Equal(((string)report["batch"]!, 0, Count), ((string)submitted["batch"]!, (int)submitted["enqueued"]!, (int)submitted["ended"]!));
        await _desk.ErrorAsync(3, "run", "in.jsonl", "--fleet", "-o", "out.jsonl");
        Assert.Equal(Count, house.Llm.Stats.Calls - before);
    }

    [Fact]
    public async Task A_table_is_made_of_results_and_input_without_a_call()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 12);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(0, "results", batch, "--wait", "-o", "answers.jsonl");
        var calls = house.Llm.Stats.Calls;

        await _desk.ErrorAsync(0, "results", batch, "--input", "in.jsonl", "-o", "table.csv");

        Assert.Equal(calls, house.Llm.Stats.Calls);
        Assert.Equal("custom_id,prompt,answer,error", _desk.Llmpipe.Lines("table.csv")[0]);
        Assert.Equal(13, _desk.Llmpipe.Lines("table.csv").Length);
        Assert.StartsWith("row-1,\"Whisper 1, in.jsonl\",", _desk.Llmpipe.Lines("table.csv")[1]);
        Assert.Equal(_desk.Llmpipe.Lines("answers.jsonl"), _desk.Llmpipe.Lines("table.results.jsonl"));
        _desk.WriteRows("fewer.jsonl", 5);
        Assert.Contains("it is another file", await _desk.ErrorAsync(2, "results", batch, "--input", "fewer.jsonl", "-o", "other.csv"));
        _desk.Llmpipe.Write("renamed.jsonl", _desk.Llmpipe.Lines("in.jsonl").Select(line => line.Replace("row-3", "row-x")));
        Assert.Contains("row 3 is row-x", await _desk.ErrorAsync(2, "results", batch, "--input", "renamed.jsonl", "-o", "other.csv"));
    }

    [Fact]
    public async Task Columns_of_a_table_that_was_submitted_for_a_prompt_function_come_back()
    {
        await house.WorkAsync();
        _desk.Llmpipe.Write("rows.csv", "question,answer\n\"How many, in all?\",5\nHow much?,6\n");
        var batch = await _desk.SubmitAsync("rows.csv", "--prompt", "solve-math", "--model", _desk.Model);

        await _desk.ErrorAsync(0, "results", batch, "--wait", "--input", "rows.csv", "-o", "table.csv");

        var lines = _desk.Llmpipe.Lines("table.csv");
        Assert.StartsWith("question,answer,", lines[0]);
        Assert.StartsWith("\"How many, in all?\",5,", lines[1]);
    }

    [Fact]
    public async Task What_only_a_calling_process_can_keep_is_refused()
    {
        _desk.WriteRows("in.jsonl", 2);
        foreach (var option in (string[][])[["--concurrency", "3"], ["--rpm", "3"], ["--tpm", "3"], ["--budget", "1"], ["--fallback", "m"], ["--keep-going"], ["--dedupe"]])
            Assert.Contains($"{option[0]} does not go with --fleet", await _desk.ErrorAsync(2, ["run", "in.jsonl", "--fleet", .. option]));
        var (exitCode, _, error) = await _desk.Llmpipe.RunAsync("run", "in.jsonl", "--fleet");
        Assert.Equal(2, exitCode);
        Assert.Contains("--fleet needs --redis", error);
    }
}
