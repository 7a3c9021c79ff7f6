namespace LlmPipeline;

/// <summary>What test.sh makes of its checks; <c>dotnet</c> is a stand-in.</summary>
public sealed class CheckingEverything
{
    [Fact]
    public async Task The_last_line_counts_the_tests()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("test.sh", test: Report(total: 12, passed: 12, failed: 0));

        Assert.Equal("12 passed, 0 failed", ended.LastLine);
        Assert.Equal(0, ended.ExitCode);
    }

    [Fact]
    public async Task A_failed_test_is_an_exit_code()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("test.sh", test: Report(total: 12, passed: 10, failed: 1) + "; exit 1");

        Assert.Equal("10 passed, 1 failed, 1 skipped", ended.LastLine);
        Assert.Equal(1, ended.ExitCode);
    }

    [Fact]
    public async Task A_skipped_test_is_fine_on_a_desk_and_a_failure_in_CI()
    {
        using var here = new StandIn();
        var test = Report(total: 12, passed: 10, failed: 0);

        var desk = await here.RunAsync("test.sh", test: test);
        var ci = await here.RunAsync(".ci/run", test: test, ci: true, folder: "/");

        Assert.Equal(("10 passed, 0 failed, 2 skipped", 0), (desk.LastLine, desk.ExitCode));
        Assert.Equal(("10 passed, 2 failed", 1), (ci.LastLine, ci.ExitCode));
    }

    [Theory]
    [InlineData("exit 1", "")]
    [InlineData("", "exit 134")]
    [InlineData("", "mkdir -p .build/tests && touch .build/tests/report.trx")]
    public async Task A_build_or_a_run_that_breaks_counts_as_failed(string build, string test)
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("test.sh", build: build, test: test);

        Assert.Equal("0 passed, 1 failed", ended.LastLine);
        Assert.Equal(1, ended.ExitCode);
    }

    [Fact]
    public async Task A_crash_after_the_last_test_counts_as_failed()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("test.sh", test: Report(total: 3, passed: 3, failed: 0) + "; exit 1");

        Assert.Equal(("3 passed, 1 failed", 1), (ended.LastLine, ended.ExitCode));
    }

    [Fact]
    public async Task A_broken_script_counts_as_failed()
    {
        using var here = new StandIn();
        here.Write("llmpipe", "if then", executable: true);

        var ended = await here.RunAsync("test.sh", test: Report(total: 3, passed: 3, failed: 0));

        Assert.Equal(("3 passed, 1 failed", 1), (ended.LastLine, ended.ExitCode));
    }

    [Theory]
    [InlineData("", "(Category!=Full)")]
    [InlineData("--quick", "(Category!=Slow)&(Category!=Full)")]
    [InlineData("Claiming", "(FullyQualifiedName~Claiming)&(Category!=Full)")]
    [InlineData("Category=Slow", "(Category=Slow)&(Category!=Full)")]
    [InlineData("--full Claiming", "(FullyQualifiedName~Claiming)")]
    public async Task Its_arguments_choose_the_tests(string arguments, string filter)
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("test.sh", arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), test: $"echo \"$*\"; {Report(total: 3, passed: 3, failed: 0)}");

        Assert.Contains($"--filter {filter} ", ended.Output);
        Assert.Equal(0, ended.ExitCode);
    }

    [Fact]
    public async Task The_full_run_leaves_nothing_out()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("test.sh", ["--full"], test: $"echo \"$*\"; {Report(total: 3, passed: 3, failed: 0)}");

        Assert.DoesNotContain("--filter", ended.Output, StringComparison.Ordinal);
        Assert.Equal(0, ended.ExitCode);
    }

    [Fact]
    public async Task An_unknown_option_is_refused()
    {
        using var here = new StandIn();

        Assert.Equal(2, (await here.RunAsync("test.sh", ["--fast"])).ExitCode);
    }

    private static string Report(int total, int passed, int failed) =>
        $"""
        mkdir -p .build/tests && echo '<Counters total="{total}" executed="{passed + failed}" passed="{passed}" failed="{failed}" error="0" timeout="0" aborted="0" />' > .build/tests/report.trx
        """;
}
