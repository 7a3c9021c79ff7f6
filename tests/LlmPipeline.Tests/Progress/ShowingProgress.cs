namespace LlmPipeline;

/// <summary>The live view of a run: <see cref="ProgressPanel"/>, and the same in a line: <see cref="ProgressText"/>.</summary>
public sealed class ShowingProgress
{
    private static readonly ProgressFigures Few = new()
    {
        Now = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero),
        Rows = 10_000,
        Done = 4_300,
        Failed = 0,
        Elapsed = TimeSpan.FromSeconds(65),
        RowsPerSecond = 66.2,
        Left = TimeSpan.FromSeconds(80),
        Calls = new CallCounts(32, 4, 3, 1),
        Retries = 12,
        RequestsPerMinute = (480, 500),
        TokensPerMinute = (190_211, 200_000),
    };

    private static readonly ProgressFigures Many = Few with
    {
        Rows = 1_000_000,
        Done = 999_999,
        Elapsed = TimeSpan.FromHours(23.9),
        Left = TimeSpan.FromHours(119),
        RequestsPerMinute = (1_480_000, 1_500_000),
        TokensPerMinute = (190_211_000, 200_000_000),
        Calls = new CallCounts(100_000, 40_000, 3_000, 1),
        Spent = 1_234_567_890_123,
        Projected = 1_300_000_000_000m,
        Budget = 2_000_000_000_000,
        Failed = 1_234,
        Failures = [new("HTTP 400 invalid_request_error", 700), new("content_filter", 500), new("答えがない", 34)],
        Limiting = "rate-limited until 14:05:10 by the provider: " + new string('文', 90),
    };

    public static TheoryData<int, bool> Widths
    {
        get
        {
            var data = new TheoryData<int, bool>();
            foreach (var width in (int[])[10, 20, 39, 40, 59, 79, 119, 300])
            {
                data.Add(width, false);
                data.Add(width, true);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void No_line_is_wider_than_the_terminal_and_there_are_three_to_five(int width, bool many)
    {
        var lines = Texts(many ? Many : Few, width);

        Assert.All(lines, line => Assert.InRange(TerminalText.WidthOf(line), 1, width));
        Assert.Equal(many ? 5 : 3, lines.Count);
    }

    [Fact]
    public void With_80_columns_it_holds_everything()
    {
        var lines = Texts(Few with { Spent = 123_400_000, Projected = 290_000_000, Budget = 1_000_000_000, Limiting = "waiting for tokens/min of main" }, 79);

        Assert.Matches("^█+░+ 43 %  4,300/10,000  1 min 5 s, about 1 min 20 s left \\(..:..:..\\)$", lines[0]);
        Assert.Equal("32 calling, 5 waiting for quota, 3 retrying, 66.2 rows/s, 12 retries", lines[1]);
        Assert.Equal("480 of 500 requests/min, 190,211 of 200,000 tokens/min", lines[2]);
        Assert.Equal("cost 0.1234, about 0.29 at the end, budget 1.00", lines[3]);
        Assert.Equal("waiting for tokens/min of main", lines[4]);
    }

    [Fact]
    public void With_40_columns_what_limits_the_run_takes_the_lines_that_are_free()
    {
        var said = Few with { Limiting = "the endpoint cannot be reached: connection refused; tried again at 14:05:10 by this run" };

        Assert.Equal(["the endpoint cannot be reached:", "connection refused; tried again at 14:…"], Texts(said, 39).Skip(3));
        Assert.Equal(["rate-limited until 04:37:13 by the", "provider: tokens per day"], Texts(Few with { Limiting = "rate-limited until 04:37:13 by the provider: tokens per day" }, 39).Skip(3));
    }

    [Fact]
    public void Without_a_quota_nothing_waits_for_it() =>
        Assert.StartsWith("32 calling, 5 waiting, ", Texts(Few with { RequestsPerMinute = (480, null), TokensPerMinute = (9, null) }, 79)[1]);

    [Fact]
    public void Lines_above_it_break_between_words()
    {
        Assert.Equal(["  errors:", "  a/long/path/of/a/file", "  (again)"], TerminalText.Wrap("  errors: a/long/path/of/a/file (again)", 12));
        Assert.Equal(["it fits"], TerminalText.Wrap("it fits", 7));
    }

    [Fact]
    public void With_40_columns_the_most_important_is_left()
    {
        var lines = Texts(Few with { Spent = 123_400_000, Projected = 290_000_000, Budget = 1_000_000_000, Limiting = "waiting for tokens/min of main" }, 39);

        Assert.Matches("43 %.* 1 min 20 s left$", lines[0]);
        Assert.Equal("32 calling, 5 waiting for quota", lines[1]);
        Assert.Equal("480/500 requests, 190,211/200,000 toke…", lines[2]);
        Assert.Equal("cost 0.1234 → 0.29 of 1.00", lines[3]);
        Assert.Equal("waiting for tokens/min of main", lines[4]);
    }

    [Fact]
    public void The_latest_kinds_of_failures_are_named_with_their_counts()
    {
        var lines = Texts(Few with { Failed = 9, Failures = [new("HTTP 400 bad_value", 7), new("content_filter", 2)] }, 79);

        Assert.Equal("9 failed: HTTP 400 bad_value (7), content_filter (2)", lines[3]);
    }

    [Theory]
    [InlineData(0, "0 %", 0)]
    [InlineData(9_999, "99 %", 29)]
    [InlineData(10_000, "100 %", 30)]
    public void The_bar_is_full_at_the_end_only(long done, string percent, int full)
    {
        var head = ProgressPanel.Lines(Few with { Done = done, Left = null }, 119, isUnicode: false)[0];

        Assert.Equal((new string('#', full), new string('-', 30 - full)), (head[0].Text, head[1].Text));
        Assert.Contains(percent, head[2].Text);
    }

    [Fact]
    public void The_line_of_a_log_says_the_same()
    {
        var line = ProgressText.Line(Few with { Failed = 2, Limiting = "waiting for tokens/min of main" });

        Assert.StartsWith(
            "4,300/10,000 done (43 %), 2 failed, 32 in flight, 4 waiting for quota, 3 retrying, 1 waiting for a slot, 66.2 rows/s, "
            + "480 of 500 requests/min, 190,211 of 200,000 tokens/min, 12 retries, about 1 min 20 s left (",
            line);
        Assert.EndsWith(", waiting for tokens/min of main", line);
    }

    private static List<string> Texts(ProgressFigures figures, int width) =>
        [.. ProgressPanel.Lines(figures, width, isUnicode: true).Select(line => string.Concat(line.Select(part => part.Text)))];
}
