using System.Diagnostics;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary><c>run</c> on a terminal: <see cref="LivePanel"/>, with the pseudo terminal of <c>script</c>.</summary>
[Trait("Category", "Slow")]
public sealed partial class RunningOnATerminal : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [InlineData(80)]
    [InlineData(40)]
    public async Task The_view_fits_and_is_gone_at_the_end(int columns)
    {
        await using var endpoint = await StartAsync(seconds: 0.6);

        var said = await RunAsync(columns, "xterm", "run in.jsonl --concurrency 12");

        var views = Views(said);
        Assert.True(views.Count > 3, said);
        foreach (var view in views)
        {
            Assert.InRange(view.Count, 3, 5);
            Assert.All(view, line => Assert.InRange(TerminalText.WidthOf(line), 1, columns - 1));
        }

        Assert.All(Clean(said).ReplaceLineEndings("\n").Split('\n'), line => Assert.InRange(TerminalText.WidthOf(line), 0, columns - 1));
        Assert.Contains(views, view => view[0].Contains('%') && view[0].Contains(" left"));
        Assert.Contains("\u001b[32m", said);
        Assert.DoesNotContain("\u001b[?25l", said);
        Assert.Contains("60 rows: 60 completed, 0 failed", Clean(said));
    }

    [Fact]
    public async Task Without_colours_it_has_none()
    {
        await using var endpoint = await StartAsync(seconds: 0.6);
        _llmpipe.Environment["NO_COLOR"] = "1";

        var said = await RunAsync(80, "xterm", "run in.jsonl");

        Assert.True(Views(said).Count > 0, said);
        Assert.DoesNotMatch("\u001b\\[[0-9;]*m", said);
    }

    [Theory]
    [InlineData("dumb", "run in.jsonl")]
    [InlineData("xterm", "run in.jsonl --no-progress")]
    [InlineData("xterm", "run in.jsonl --log-format json")]
    public async Task Where_the_cursor_cannot_move_or_must_not_nothing_is_drawn(string terminal, string arguments)
    {
        await using var endpoint = await StartAsync();

        var said = await RunAsync(80, terminal, arguments);

        // .NET sets the mode of the keypad.
        Assert.DoesNotMatch("\u001b\\[[0-9;]*[FJm]", said);
        Assert.Contains("60 completed, 0 failed", said);
    }

    [Fact]
    public async Task Quiet_it_says_nothing_but_what_goes_wrong()
    {
        await using var endpoint = await StartAsync();
        var right = await _llmpipe.RunAsync("run", "in.jsonl", "-q");
        _llmpipe.Environment["OPENAI_BASE_URL"] = new Uri(endpoint.BaseUrl, "/nowhere/v1").ToString();

        var wrong = await _llmpipe.RunAsync("run", "in.jsonl", "-q", "--json", "-o", "other.jsonl");

        Assert.Equal((0, "", ""), right);
        Assert.True(wrong.ExitCode == 1, wrong.Error);
        Assert.Contains("stopped, no deployment is left", wrong.Error);
        Assert.Contains("\"completed_rows\":0", wrong.Out);
        Assert.DoesNotContain("settings", wrong.Error);
    }

    private async Task<LlmSimulator> StartAsync(double seconds = 0.02)
    {
        var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromSeconds(seconds), CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(60));
        return endpoint;
    }

    private async Task<string> RunAsync(int columns, string terminal, string arguments)
    {
        var program = Path.Join(AppContext.BaseDirectory, "llmpipe.dll");
        var environment = _llmpipe.Environment.ToDictionary(pair => pair.Key, pair => (string?)pair.Value);
        environment["TERM"] = terminal;
        var ended = await Shell.RunAsync(
            "script", ["-qec", $"stty cols {columns} rows 24; exec dotnet {program} {arguments}", "/dev/null"], _llmpipe.Folder, environment, TimeSpan.FromMinutes(2));
        Assert.True(ended.ExitCode == 0, ended.Output);
        return ended.Output;
    }

    /// <summary>The views that were drawn. What is above the first is none, nor what comes after the last.</summary>
    private static IReadOnlyList<IReadOnlyList<string>> Views(string said) =>
        [.. Up().Split(said).Skip(1).SkipLast(1).Select(view => (IReadOnlyList<string>)[.. Clean(view).ReplaceLineEndings("\n").Split('\n')[..^1]])];

    private static string Clean(string text) => Sequence().Replace(text, "");

    [GeneratedRegex(@"\u001b\[\d+F\u001b\[J")]
    private static partial Regex Up();

    [GeneratedRegex(@"\u001b(\[[0-9;?]*[A-Za-z]|[=>])")]
    private static partial Regex Sequence();
}
