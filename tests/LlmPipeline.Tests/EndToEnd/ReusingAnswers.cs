using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>A file that was added to or edited: only what changed is called.</summary>
public sealed class ReusingAnswers : IAsyncLifetime
{
    private readonly Llmpipe _llmpipe = new();
    private LlmSimulator _endpoint = null!;

    public async Task InitializeAsync()
    {
        _endpoint = await LlmSimulator.StartAsync(new SimulatorOptions());
        _llmpipe.Environment["OPENAI_BASE_URL"] = _endpoint.BaseUrl.ToString();
    }

    public async Task DisposeAsync()
    {
        await _endpoint.DisposeAsync();
        _llmpipe.Dispose();
    }

    [Fact]
    public async Task Rows_that_are_added_are_called_and_no_others()
    {
        var lines = Rows.BatchLines(12).ToList();
        _llmpipe.Write("in.jsonl", lines[..10]);
        await RunAsync("in.jsonl");
        var before = _llmpipe.Lines("in.results.jsonl");

        _llmpipe.Write("in.jsonl", [lines[10], .. lines[..10], lines[11]]);
        var error = await RunAsync("in.jsonl");

        Assert.Equal(12, _endpoint.Stats.Calls);
        Assert.Contains("10 rows ask the same as rows of the output that is there, and take their answers", error);
        var after = _llmpipe.Lines("in.results.jsonl");
        Assert.Equal(Rows.CustomIds([lines[10], .. lines[..10], lines[11]]), Rows.CustomIds(after));
        Assert.Equal(before.Select(Body), after[1..11].Select(Body));
        Assert.Single(after.Select(line => ((string)JsonNode.Parse(line)!["id"]!).Split('.')[0]).Distinct());
        await RunAsync("in.jsonl");
        Assert.Equal(12, _endpoint.Stats.Calls);
    }

    [Fact]
    public async Task An_edited_file_is_told_what_differs_and_reuses_what_is_the_same()
    {
        _llmpipe.Write("in.csv", "text,note\none,x\ntwo,x\nthree,x\n");
        await RunAsync("in.csv", "--template", "Say {{$text}}");

        // A column that the template does not use makes no difference; a text does.
        _llmpipe.Write("in.csv", "text,note\none,y\n2,x\nthree,x\n");
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.csv", "--template", "Say {{$text}}");
        Assert.Equal(2, exitCode);
        Assert.Contains("what differs: 1 of its 3 different requests are no longer asked; --reuse takes the answers of the other 2", error);
        await RunAsync("in.csv", "--template", "Say {{$text}}", "--reuse");
        Assert.Equal(4, _endpoint.Stats.Calls);

        (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.csv", "--template", "Shout {{$text}}");
        Assert.Equal(2, exitCode);
        Assert.Contains("what differs: the model, the prompt function, its template or schema, --system or --set differs", error);
        await using var other = await LlmSimulator.StartAsync(new SimulatorOptions());
        _llmpipe.Environment["OPENAI_BASE_URL"] = other.BaseUrl.ToString();
        (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.csv", "--template", "Say {{$text}}");
        Assert.Equal(2, exitCode);
        Assert.Contains("what differs: it was made at another endpoint", error);
    }

    [Fact]
    public async Task Synthetic_answers_are_not_reused_for_real_ones()
    {
        _llmpipe.Environment.Remove("OPENAI_BASE_URL");
        _llmpipe.Write("in.txt", "one\ntwo\n");
        await RunAsync("in.txt");
        _llmpipe.Environment["OPENAI_BASE_URL"] = _endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.txt", "one\ntwo\nthree\n");

        var (exitCode, _, _) = await _llmpipe.RunAsync("run", "in.txt", "--reuse");

        Assert.Equal(2, exitCode);
        Assert.Equal(0, _endpoint.Stats.Calls);
    }

    [Fact]
    public async Task An_input_that_changes_meanwhile_ends_the_run_and_what_is_paid_is_found_again()
    {
        await using var slow = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20) });
        _llmpipe.Environment["OPENAI_BASE_URL"] = slow.BaseUrl.ToString();
        var rows = Enumerable.Range(1, 30_000).Select(n => $"prompt {n}").ToList();
        _llmpipe.Write("in.txt", rows);
        using var process = _llmpipe.Start("run", "in.txt", "--concurrency", "50");
        var error = process.StandardError.ReadToEndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(slow.Stats.Completed >= 100), "rows are answered");
        File.AppendAllText(_llmpipe.PathOf("in.txt"), "one more\n");
        await process.WaitForExitAsync();

        Assert.Equal(1, process.ExitCode);
        Assert.Contains("in.txt: the file has changed since it was checked", await error);
        Assert.Contains("rows are safe in in.results.jsonl.partial", await error);
        var paid = _llmpipe.Lines("in.results.jsonl.partial").Length;
        var calls = slow.Stats.Calls;
        Assert.InRange(paid, 100, 29_999);
        var again = await _llmpipe.RunAsync("run", "in.txt", "--concurrency", "500");
        Assert.True(again.ExitCode == 0, again.Error);
        Assert.Equal(30_001 - paid, slow.Stats.Calls - calls);
    }

    [Fact]
    public async Task An_output_folder_that_is_removed_meanwhile_stops_the_run_and_loses_no_answer()
    {
        await using var slow = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50) });
        _llmpipe.Environment["OPENAI_BASE_URL"] = slow.BaseUrl.ToString();
        _llmpipe.Write("in.txt", Enumerable.Range(1, 5000).Select(n => $"prompt {n}"));
        Directory.CreateDirectory(_llmpipe.PathOf("out"));
        using var process = _llmpipe.Start("run", "in.txt", "-o", "out/a.jsonl", "--concurrency", "20");
        var error = process.StandardError.ReadToEndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(slow.Stats.Completed >= 100), "rows are answered");
        Directory.Delete(_llmpipe.PathOf("out"), recursive: true);
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 1, await error);
        Assert.Contains("out/a.jsonl.partial was removed or renamed while the run went on; it is there again, with all answers", await error);
        Assert.Equal(slow.Stats.Completed, _llmpipe.Lines("out/a.jsonl.partial").Length);
        Assert.InRange(slow.Stats.Completed, 100, 2000);
    }

    private static string Body(string line) => JsonNode.Parse(line)!["response"]!["body"]!.ToJsonString();

    private async Task<string> RunAsync(params string[] arguments)
    {
        var (exitCode, _, error) = await _llmpipe.RunAsync(["run", .. arguments]);
        Assert.True(exitCode == 0, error);
        return error;
    }
}
