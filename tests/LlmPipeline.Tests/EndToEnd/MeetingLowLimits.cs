namespace LlmPipeline;

/// <summary>Limits of the process that are too low: <see cref="ProcessLimits"/>, and outputs that cannot be written: <see cref="GuardedWriter"/>.</summary>
public sealed class MeetingLowLimits : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [InlineData("ulimit -n 64", "run in.txt", "the limit of open files is 64 (ulimit -n), and 128 are needed at least")]
    [InlineData("ulimit -n 64", "status", "the limit of open files is 64 (ulimit -n), and 128 are needed at least")]
    [InlineData("ulimit -n 200", "run in.txt", "the limit of open files is 200 (ulimit -n), and 320 are needed at least")]
    [InlineData("ulimit -n 200", "work", "the limit of open files is 200 (ulimit -n), and 320 are needed at least")]
    [InlineData("export DOTNET_GCHeapHardLimit=0x2800000", "run in.txt", "the memory is limited to 40 MiB (DOTNET_GCHeapHardLimit, or the container's limit), and 100 MiB are needed at least")]
    [InlineData("export DOTNET_GCHeapHardLimit=0x2800000", "serve", "the memory is limited to 40 MiB (DOTNET_GCHeapHardLimit, or the container's limit), and 64 MiB are needed at least")]
    public async Task Too_low_to_work_with_it_ends_with_one_line(string limit, string arguments, string said)
    {
        _llmpipe.Write("in.txt", ["one"]);

        var ended = await BashAsync($"{limit}; exec dotnet $program {arguments}");

        Assert.Equal((1, $"llmpipe: {said}\n", ""), (ended.ExitCode, ended.Error, ended.Output));
    }

    [Theory]
    [InlineData("run in.txt --json")]
    [InlineData("run in.txt --check --json")]
    [InlineData("--help")]
    [InlineData("--version")]
    public async Task A_full_standard_output_is_named(string arguments)
    {
        _llmpipe.Write("in.txt", ["one"]);

        var ended = await BashAsync($"exec dotnet $program {arguments} > /dev/full");

        Assert.Equal(1, ended.ExitCode);
        Assert.EndsWith("llmpipe: standard output cannot be written: No space left on device\n", ended.Error);
        Assert.DoesNotContain("   at ", ended.Error);
    }

    [Fact]
    public async Task Without_a_standard_error_a_run_still_brings_its_answers()
    {
        _llmpipe.Write("in.txt", ["one", "two"]);

        var ended = await BashAsync("exec dotnet $program run in.txt --json 2> /dev/full");

        Assert.True(ended.ExitCode == 0, ended.Output);
        Assert.Equal(2, _llmpipe.Lines("in.results.jsonl").Length);
    }

    private Task<Shell.Ended> BashAsync(string script)
    {
        var environment = new Dictionary<string, string?> { ["program"] = Path.Join(AppContext.BaseDirectory, "llmpipe.dll") };
        return Shell.RunAsync("bash", ["-c", script], _llmpipe.Folder, environment, TimeSpan.FromMinutes(2));
    }
}
