namespace LlmPipeline.Bench;

/// <summary>What the measurements work with.</summary>
internal sealed class PeerBench
{
    public required PeerOptions Options { get; init; }

    public required BenchRedis Redis { get; init; }

    public required PeerFolder Folder { get; init; }

    public required DriverRuns Runs { get; init; }

    /// <summary>Takes a line of JSON that something said.</summary>
    public required Action<string> Log { get; init; }

    /// <summary>A folder for files that are made while measuring; gone afterwards.</summary>
    public required string Scratch { get; init; }

    public DriverCall Own(int concurrency) => new(Driver.Own, Options.Jobs, concurrency);

    public DriverCall BullMq(int concurrency) => new(Driver.BullMq, Options.Jobs, concurrency);

    /// <summary>The path of <c>./llmpipe</c>, which is what people start; built when it has to be.</summary>
    /// <exception cref="MeasurementException">It cannot be built.</exception>
    public static async Task<string> LauncherAsync()
    {
        var launcher = Path.Join(Words.Repository(), "llmpipe");
        await FinishedProcess.RunAsync(launcher, ["--version"]);
        return launcher;
    }

    /// <summary>This program as a driver that says a line of JSON, or nothing.</summary>
    /// <exception cref="MeasurementException">It fails.</exception>
    public async Task<FinishedProcess> RunAsync(params string[] arguments)
    {
        var finished = await FinishedProcess.RunAsync("dotnet", [Words.ThisProgram, .. arguments]);
        if (DriverOutcome.Read(finished.Output) is { } line)
            Log(line.ToJsonString());
        return finished;
    }
}
