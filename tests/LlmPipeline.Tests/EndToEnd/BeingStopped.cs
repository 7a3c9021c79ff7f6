using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed partial class BeingStopped : IDisposable
{
    private const int Sigint = 2;
    private readonly Llmpipe _llmpipe = new();

    public static TheoryData<bool> Redis => [false, true];

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [MemberData(nameof(Redis))]
    public async Task Killed_five_times_it_loses_nothing_and_pays_twice_only_for_what_was_in_flight(bool onRedis)
    {
        const int Count = 600;
        const int Concurrency = 16;
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(40), CountTokens = false });
        await using var redis = onRedis ? await RedisServer.StartAsync() : null;
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.Questions(Count));
        string[] arguments = ["run", "in.jsonl", "--prompt", "solve-math", "-o", "out.jsonl", "--concurrency", $"{Concurrency}", .. redis is null ? [] : new[] { "--redis", redis.Address }];
        for (var kill = 1; kill <= 5; kill++)
        {
            var before = endpoint.Stats.Completed;
            using var process = _llmpipe.Start(arguments);
            await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Completed >= before + 60 || process.HasExited), "the run goes on");
            process.Kill();
            await process.WaitForExitAsync();
        }

        var (exitCode, _, error) = await _llmpipe.RunAsync(arguments);

        Assert.True(exitCode == 0, error);
        Assert.Equal(Rows.LineNames(Count), Rows.CustomIds(_llmpipe.Lines("out.jsonl")));
        // Besides the calls in flight, a kill may cost the group of answers that was not flushed yet: no more than came in while one flush took place.
        Assert.InRange(endpoint.Stats.Calls - Count, 0, 5 * 3 * Concurrency);
        Assert.False(_llmpipe.Exists("out.jsonl.partial"));
    }

    [Fact]
    public async Task Interrupted_it_finishes_what_runs_says_how_to_go_on_and_goes_on()
    {
        const int Count = 300;
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(100), CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(Count));
        using var process = _llmpipe.Start("run", "in.jsonl", "--concurrency", "8");
        var said = process.StandardError.ReadToEndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Completed >= 20), "the run goes on");

        Assert.Equal(0, Kill(process.Id, Sigint));
        await process.WaitForExitAsync();
        var callsSoFar = endpoint.Stats.Calls;
        var resumed = await _llmpipe.RunAsync("run", "in.jsonl", "--concurrency", "8");

        Assert.Equal(130, process.ExitCode);
        Assert.Contains("The same command again goes on from there", await said);
        Assert.Equal(callsSoFar, endpoint.Stats.Completed - (Count - callsSoFar));
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal(Count, endpoint.Stats.Calls);
        Assert.Equal(Count, _llmpipe.Lines("in.results.jsonl").Length);
    }

    [Fact]
    public async Task A_second_interrupt_ends_it_at_once()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMinutes(5), CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(10));
        using var process = _llmpipe.Start("run", "in.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.InFlight == 5), "the calls are out");

        Assert.Equal(0, Kill(process.Id, Sigint));
        var line = await ReadUntilAsync(process, "stopping");
        Assert.Equal(0, Kill(process.Id, Sigint));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(9));

        Assert.Contains("Ctrl+C again", line);
        Assert.Equal(130, process.ExitCode);
    }

    private static async Task<string> ReadUntilAsync(Process process, string text)
    {
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
                return line;
        }

        throw new InvalidOperationException($"it never said \"{text}\"");
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
