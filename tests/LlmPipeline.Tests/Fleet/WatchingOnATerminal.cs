using System.Diagnostics;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary><c>status --watch</c> on a terminal: <see cref="StatusView"/>, with the pseudo terminal of <c>script</c>.</summary>
public sealed partial class WatchingOnATerminal(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private const int Columns = 80, Lines = 24;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task No_line_wraps_and_no_view_is_higher_than_the_terminal()
    {
        var longest = new string('m', 120);
        await house.Queue.EnqueueAsync(longest, "of a model with a long name");
        _desk.WriteRows("in.jsonl", 2);
        var batch = await _desk.SubmitAsync("in.jsonl", "--name", new string('文', 60));
        for (var n = 0; n < Lines; n++)
            await house.Queue.EnqueueAsync(Stores.NewName("queue"), "more lines than fit");
        await using var all = OnTerminal($"status --watch --redis {house.Server.Address}");
        await using var one = OnTerminal($"status {batch} --watch --redis {house.Server.Address}");
        await Eventually.HoldsAsync(
            () => Task.FromResult(all.Said.Contains("more lines") && one.Said.Contains("rows/s")), "all is drawn, and one is drawn anew, as its rate is known", Patience);

        foreach (var view in Views(all.Said).Concat(Views(one.Said)))
        {
            Assert.All(view, line => Assert.InRange(TerminalText.WidthOf(line), 0, Columns - 1));
            Assert.InRange(view.Count, 0, Lines - 1);
        }

        Assert.Contains(Views(one.Said)[0], line => line.StartsWith($"batch      {batch}, running", StringComparison.Ordinal));
        Assert.Contains(Views(all.Said)[0], line => line.Contains("more lines", StringComparison.Ordinal));
        Assert.Contains(Views(all.Said)[0], line => line.StartsWith("mmmmmmmm", StringComparison.Ordinal) && line.Contains('…'));
        // A view is drawn over the one before.
        Assert.Contains($"\u001b[{Views(one.Said)[0].Count}F\u001b[J", one.Said);
    }

    [Theory]
    [InlineData(36, "b-0123456789abcdef0123456789abcdef")]
    [InlineData(60, "b-0123456789abcdef0123456789abcdef")]
    [InlineData(79, "b-0123456789abcdef0123456789abcdef")]
    [InlineData(20, "b-01234567…")]
    public void A_table_leaves_columns_out_before_it_cuts(int width, string first)
    {
        var table = new FleetTable("BATCH", "CREATED", "ROWS", "LEFT");
        table.Add("b-0123456789abcdef0123456789abcdef", "2026-01-01 00:00", "1,000,000", "12");

        var lines = table.ToText(width, "CREATED", "ROWS", "LEFT").TrimEnd().Split('\n');

        Assert.All(lines, line => Assert.InRange(line.Length, 1, width));
        Assert.StartsWith(first[..Math.Min(first.Length, 8)], lines[1]);
        Assert.Equal(width == 20, lines[1].Contains('…'));
        Assert.Equal(width >= 60, lines[0].Contains("LEFT"));
        Assert.Equal(width >= 79, lines[0].Contains("CREATED"));
    }

    [Fact]
    public async Task A_table_that_is_printed_once_fits_too_and_keeps_ids_whole()
    {
        _desk.WriteRows("in.jsonl", 2);
        var batch = await _desk.SubmitAsync("in.jsonl", "--name", "of a table");
        await using var process = OnTerminal($"status --redis {house.Server.Address}");

        Assert.Equal(0, await process.ExitedAsync(Patience));

        var lines = Sequence().Replace(process.Said, "").ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        Assert.All(lines, line => Assert.InRange(TerminalText.WidthOf(line), 0, Columns));
        Assert.Contains(lines, line => line.StartsWith(batch, StringComparison.Ordinal));
        // Headers are bold.
        Assert.Contains("\u001b[1mBATCH", process.Said);
    }

    [Fact]
    public async Task On_a_narrow_terminal_a_table_is_shown_all_the_same()
    {
        _desk.WriteRows("in.jsonl", 2);
        var batch = await _desk.SubmitAsync("in.jsonl", "--name", "of a narrow table");
        await using var process = OnTerminal($"status --redis {house.Server.Address}", columns: 40);

        Assert.Equal(0, await process.ExitedAsync(Patience));

        Assert.Contains(batch, process.Said);
        Assert.Contains("of a narrow table", process.Said);
    }

    private static WorkProcess OnTerminal(string arguments, int columns = Columns)
    {
        var start = new ProcessStartInfo("script") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        var program = Path.Join(AppContext.BaseDirectory, "llmpipe.dll");
        foreach (var argument in (string[])["-qec", $"stty cols {columns} rows {Lines}; exec dotnet {program} {arguments}", "/dev/null"])
            start.ArgumentList.Add(argument);
        start.Environment["TERM"] = "xterm";
        return new WorkProcess(Process.Start(start)!);
    }

    /// <summary>The views that were drawn; the last may not be whole.</summary>
    private static IReadOnlyList<IReadOnlyList<string>> Views(string said) =>
        [.. Up().Split(said).Select(view => (IReadOnlyList<string>)[.. Sequence().Replace(view, "").ReplaceLineEndings("\n").Split('\n')[..^1]])];

    [GeneratedRegex(@"\u001b\[\d+F\u001b\[J")]
    private static partial Regex Up();

    [GeneratedRegex(@"\u001b(\[[0-9;?]*[A-Za-z]|[=>])")]
    private static partial Regex Sequence();
}
