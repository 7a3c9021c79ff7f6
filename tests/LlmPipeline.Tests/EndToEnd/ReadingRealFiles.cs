using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Files as spreadsheets, pandas and public data sets write them, given to the program.</summary>
public sealed class ReadingRealFiles : IAsyncLifetime
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
    public async Task A_table_without_a_prompt_is_refused_and_nothing_is_sent()
    {
        _llmpipe.Write("reviews.csv", "id,review\n1,Good\n2,\"Two\nlines\"\n");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "reviews.csv");

        Assert.Equal(2, exitCode);
        Assert.Contains("reviews.csv:1: a table needs --prompt NAME or --template TEXT, whose variables are its columns: id, review", error);
        Assert.Equal(0, _endpoint.Stats.Calls);
        (exitCode, _, error) = await _llmpipe.RunAsync("run", "reviews.csv", "--as", "text", "--check");
        Assert.True(exitCode == 0, error);
        Assert.Contains("4 rows", error);
    }

    [Fact]
    public async Task A_template_makes_a_table_of_answers_with_all_its_columns()
    {
        File.WriteAllBytes(_llmpipe.PathOf("in.csv"), [.. "\uFEFF;id;review, in full\r\n0;a;\"x;y\"\r\n1;a;=1+1\r\n"u8]);

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.csv", "--template", "Review: {{$review__in_full}}", "-o", "out.csv", "--excel-safe");

        Assert.True(exitCode == 0, error);
        Assert.StartsWith("in.csv: values of id repeat (\"a\" is that of line 2 and of line 3), so rows are named by their lines", error);
        var bytes = File.ReadAllBytes(_llmpipe.PathOf("out.csv"));
        Assert.Equal("\uFEFF"u8.ToArray(), bytes[..3]);
        var lines = Encoding.UTF8.GetString(bytes[3..]).Split("\r\n");
        Assert.Equal(";id;review, in full;answer;error", lines[0]);
        Assert.StartsWith("0;a;\"x;y\";", lines[1]);
        Assert.StartsWith("1;a;'=1+1;", lines[2]);
        Assert.Equal(["in.csv", "out.csv", "out.results.jsonl"], Files());
    }

    [Fact]
    public async Task A_schema_in_short_gives_columns()
    {
        _llmpipe.Write("in.csv", "text\ngood\nbad\n");

        var (exitCode, _, error) = await _llmpipe.RunAsync(
            "run", "in.csv", "--template", "{{$text}}", "--schema", "label: positive|negative, confidence: number", "-o", "out.csv");

        Assert.True(exitCode == 0, error);
        var lines = _llmpipe.Lines("out.csv");
        Assert.Equal("text,label,confidence,answer,error", lines[0]);
        Assert.Matches("^good,(positive|negative),[-0-9.e]+,", lines[1]);
        var (_, _, wrong) = await _llmpipe.RunAsync("run", "in.csv", "--template", "{{$text}}", "--schema", "label: colour");
        Assert.Contains("--schema: label: \"colour\" is no type; there are text, number", wrong);
    }

    [Fact]
    public async Task Bodies_and_rows_go_to_their_own_models_and_others_to_the_one_asked_for()
    {
        _llmpipe.Write("bodies.jsonl", ["""{"messages":[{"role":"user","content":"hi"}]}""", """{"model":"own","messages":[{"role":"user","content":"ho"}]}""", """{"prompt":"hey"}"""]);
        _llmpipe.Write("rows.jsonl", ["""{"text":"one","model":"own"}""", """{"text":"two"}"""]);

        Assert.Equal(2, (await _llmpipe.RunAsync("run", "bodies.jsonl")).ExitCode);
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "bodies.jsonl", "--model", "asked");
        Assert.True(exitCode == 0, error);
        Assert.StartsWith("--model asked is for rows that name none: 1 rows go to the model that they name", error);
        Assert.Equal(["asked", "own", "asked"], _llmpipe.Lines("bodies.results.jsonl").Select(line => (string)JsonNode.Parse(line)!["response"]!["body"]!["model"]!));
        (exitCode, _, error) = await _llmpipe.RunAsync("run", "rows.jsonl", "--template", "{{$text}}", "--model", "asked");
        Assert.True(exitCode == 0, error);
        Assert.Equal(["own", "asked"], _llmpipe.Lines("rows.results.jsonl").Select(line => (string)JsonNode.Parse(line)!["response"]!["body"]!["model"]!));
    }

    [Fact]
    public async Task The_encoding_to_use_is_told_and_then_read()
    {
        File.WriteAllBytes(_llmpipe.PathOf("latin.csv"), Encoding.Latin1.GetBytes("id,text\n1,Café\n"));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "latin.csv", "--template", "{{$text}}");
        Assert.Equal(2, exitCode);
        Assert.Contains("latin.csv:2: not UTF-8 at byte 6 of the line", error);
        Assert.Contains("--encoding windows-1252", error);
        (exitCode, var shown, error) = await _llmpipe.RunAsync("run", "latin.csv", "--template", "{{$text}}!", "--encoding", "windows-1252", "--check", "--show", "1");
        Assert.True(exitCode == 0, error);
        Assert.Contains("user: Café!", shown);
        Assert.Contains("--encoding klingon: unknown", (await _llmpipe.RunAsync("run", "latin.csv", "--encoding", "klingon")).Error);
    }

    [Fact]
    public async Task Standard_input_is_answered_on_standard_output()
    {
        using var process = _llmpipe.Start("run", "-", "--as", "text", "-o", "-", "--max-attempts", "1");
        var reading = (Out: process.StandardOutput.ReadToEndAsync(), Error: process.StandardError.ReadToEndAsync());
        await process.StandardInput.WriteAsync("one\ntwo\nthree\n");
        process.StandardInput.Close();
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 0, await reading.Error);
        Assert.Equal(["line-1", "line-2", "line-3"], Rows.CustomIds((await reading.Out).Split('\n', StringSplitOptions.RemoveEmptyEntries)));
        Assert.Empty(Files());
        var folder = Path.Join(Path.GetTempPath(), $"llmpipe-{Environment.UserName}");
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        Assert.DoesNotContain(Directory.GetFiles(folder), file => File.ReadAllText(file).Contains("one\ntwo\nthree\n", StringComparison.Ordinal));
        Assert.Contains("-o must name the output", (await _llmpipe.RunAsync("run", "-")).Error);
    }

    [Fact]
    public async Task Several_files_and_patterns_are_one_batch()
    {
        _llmpipe.Write("a.txt", "one\n");
        _llmpipe.Write("b.txt", "two\nthree\n");

        Assert.Contains("-o must name its output", (await _llmpipe.RunAsync("run", "*.txt")).Error);
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "*.txt", "-o", "out.jsonl");
        Assert.True(exitCode == 0, error);
        Assert.Equal(["a.txt:line-1", "b.txt:line-1", "b.txt:line-2"], Rows.CustomIds(_llmpipe.Lines("out.jsonl")));

        // A table beside its inputs is none of them when the same command runs again.
        _llmpipe.Write("c.csv", "text\nfour\n");
        foreach (var rows in (string[])["1 completed, 0 failed\n", "1 of these before this run"])
        {
            (exitCode, _, error) = await _llmpipe.RunAsync("run", "*.csv", "--template", "{{$text}}", "-o", "table.csv");
            Assert.True(exitCode == 0 && error.Contains(rows, StringComparison.Ordinal), error);
        }

        Assert.Contains("no file matches", (await _llmpipe.RunAsync("run", "*.jsonx", "-o", "out.jsonl")).Error);
    }

    [Fact]
    public async Task Odd_text_in_a_body_is_no_crash_after_paying()
    {
        _llmpipe.Write("in.jsonl",
        [
            InputSample.BatchLine("a", """{"model":"m","messages":[{"role":"user","content":"half \ud83d"}]}"""), InputSample.BatchLine("b"),
        ]);

        Assert.Equal(0, (await _llmpipe.RunAsync("run", "in.jsonl", "--check")).ExitCode);
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "-o", "out.csv");
        Assert.True(exitCode == 0, error);
        Assert.Equal(3, _llmpipe.Lines("out.csv").Length);
    }

    [Fact]
    public async Task A_run_stops_when_too_many_rows_fail()
    {
        await using var failing = await LlmSimulator.StartAsync(new SimulatorOptions { AlwaysStatus = 400 });
        _llmpipe.Environment["OPENAI_BASE_URL"] = failing.BaseUrl.ToString();
        _llmpipe.Write("in.txt", string.Concat(Enumerable.Range(1, 200).Select(n => $"{n}\n")));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.txt", "--max-failures", "5%", "--max-attempts", "1", "--concurrency", "2", "--keep-going");

        Assert.Equal(3, exitCode);
        Assert.Contains("more rows failed than --max-failures 5% allows", error);
        Assert.InRange(failing.Stats.Calls, 10, 100);
    }

    [Fact]
    public async Task A_run_that_costs_more_than_the_setting_asks_first()
    {
        _llmpipe.Write("in.txt", "one\ntwo\n");
        foreach (var (name, value) in new[] { ("AskAbove", "0.001"), ("Prices__gpt-4o-mini__Input", "10"), ("Prices__gpt-4o-mini__Output", "10") })
            _llmpipe.Environment["LLMPIPE__" + name] = value;

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.txt");
        Assert.Equal(2, exitCode);
        Assert.Contains("more than 0.001 (the setting AskAbove); --yes runs it", error);
        Assert.Equal(0, _endpoint.Stats.Calls);
        Assert.Equal(["in.txt"], Files());
        (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.txt", "--yes");
        Assert.True(exitCode == 0, error);
        Assert.Equal(["in.results.jsonl", "in.txt"], Files());
    }

    [Fact]
    public async Task A_new_prompt_function_runs_and_is_not_overwritten()
    {
        _llmpipe.Write("in.csv", "text\nx\n");

        Assert.Equal(0, (await _llmpipe.RunAsync("init", "mine")).ExitCode);
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.csv", "--prompt", "mine");
        Assert.True(exitCode == 0, error);
        Assert.Contains("prompts/mine is there already", (await _llmpipe.RunAsync("init", "mine")).Error);
        Assert.Equal(2, (await _llmpipe.RunAsync("init", "../mine")).ExitCode);
    }

    private IEnumerable<string?> Files() => Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);
}
