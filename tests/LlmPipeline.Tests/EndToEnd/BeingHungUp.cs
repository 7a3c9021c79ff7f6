using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>A terminal that is closed: SIGHUP, see <see cref="Interrupt"/>.</summary>
[Trait("Category", "Slow")]
public sealed partial class BeingHungUp : IDisposable
{
    private const int Sighup = 1;
    private const int Count = 120;
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task A_run_finishes_what_is_in_flight_and_goes_on_later()
    {
        await using var endpoint = await StartAsync();
        using var process = _llmpipe.Start("run", "in.jsonl", "--concurrency", "8");
        var said = process.StandardError.ReadToEndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Completed >= 20), "the run goes on");

        // A terminal that is closed may send it twice.
        Assert.Equal(0, Kill(process.Id, Sighup));
        Assert.Equal(0, Kill(process.Id, Sighup));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        var resumed = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.Equal(130, process.ExitCode);
        Assert.Contains("The same command again goes on from there", await said);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal(Count, endpoint.Stats.Calls);
    }

    [Fact]
    public async Task With_nohup_it_goes_on_to_its_end()
    {
        await using var endpoint = await StartAsync();
        var start = new ProcessStartInfo("nohup", ["dotnet", Path.Join(AppContext.BaseDirectory, "llmpipe.dll"), "run", "in.jsonl", "--concurrency", "8"])
        {
            WorkingDirectory = _llmpipe.Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        using var process = Process.Start(start)!;
        var said = process.StandardError.ReadToEndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Completed >= 20), "the run goes on");

        Assert.Equal(0, Kill(process.Id, Sighup));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));

        Assert.True(process.ExitCode == 0, await said);
        Assert.Equal(Count, endpoint.Stats.Calls);
    }

    [Fact]
    public async Task Workers_and_gateways_end_in_order()
    {
        await using var redis = await RedisServer.StartAsync();
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1";

        foreach (var arguments in (string[][])[["work", "--redis", redis.Address], ["serve", "--redis", redis.Address, "--urls", "http://127.0.0.1:0"]])
        {
            await using var process = new WorkProcess(_llmpipe.Start(arguments));
            await Eventually.HoldsAsync(() => Task.FromResult(process.Said.Contains("Ctrl+C stops", StringComparison.Ordinal)), "it has started");

            Assert.Equal(0, Kill(process.Id, Sighup));

            Assert.Equal(0, await process.ExitedAsync(TimeSpan.FromMinutes(1)));
        }
    }

    private async Task<LlmSimulator> StartAsync()
    {
        var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(100), CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(Count));
        return endpoint;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
