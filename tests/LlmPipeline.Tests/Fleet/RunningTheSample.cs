using System.Diagnostics;

namespace LlmPipeline;

public sealed class RunningTheSample(FleetHouse house) : IClassFixture<FleetHouse>
{
    [Fact]
    public async Task It_gets_its_answers_from_a_live_worker_and_pays_once_for_the_same_batch()
    {
        await house.WorkAsync();

        var first = await RunAsync();
        var second = await RunAsync();

        Assert.Equal(["What is 2 + 3?", "What is 7 * 6?", "What is 100 / 8?"], first[1..].Select(line => line[..(line.IndexOf('?') + 1)]));
        Assert.All(first, line => Assert.EndsWith("]", line));
        Assert.Equal(first[1..], second[1..]);
        Assert.Equal(1 + 3 + 1, house.Llm.Stats.Calls);
    }

    private async Task<string[]> RunAsync()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Join(Repository.Root, "samples/Enqueue/bin/Release/net10.0/LlmPipeline.Enqueue.dll"), house.Server.Address])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2));
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        return output.TrimEnd().Split('\n');
    }
}
