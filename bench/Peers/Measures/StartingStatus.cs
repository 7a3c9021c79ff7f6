namespace LlmPipeline.Bench;

/// <summary>How long <c>llmpipe status</c> takes, against a program that does as much before it does anything: reads its command line, connects, prints.</summary>
internal sealed class StartingStatus : Measurement
{
    private const int Starts = 20;

    public override string Name => "status";

    public override string Title => "llmpipe status, warm";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        await bench.Redis.FlushAsync();
        var launcher = await PeerBench.LauncherAsync();
        var folder = Path.Join(Words.Repository(), ".build", "hello");
        await FinishedProcess.RunAsync("dotnet", ["publish", Path.Join(Words.Repository(), "bench", "Hello", "Hello.csproj"), "-c", "Release", "-o", folder, "--nologo", "-v", "quiet"], Words.Repository());
        var hello = Path.Join(folder, "hello.dll");
        var (ours, theirs) = (new List<double>(), new List<double>());
        // The first starts of either read it from the disk.
        for (var n = -2; n < Starts; n++)
        {
            var status = await FinishedProcess.RunAsync(launcher, ["status", "--redis", bench.Redis.Address]);
            var other = await FinishedProcess.RunAsync("dotnet", [hello, "--redis", bench.Redis.Address]);
            if (n < 0)
                continue;
            ours.Add(status.Took.TotalMilliseconds);
            theirs.Add(other.Took.TotalMilliseconds);
        }

        return
        [
            new Comparison
            {
                Measure = Title, Ours = Figure.Of(Median(ours), " ms"), Target = Target.AtMost(2, "hello"),
                Peers = [new("hello with the same packages, built in the same way", Figure.Of(Median(theirs), " ms"))],
            },
        ];
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
