using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>How the work of a queue spreads over the nodes of a cluster when it has more partitions.</summary>
internal sealed class Spreading : Measurement
{
    private const int Nodes = 3;
    private const int Jobs = 20_000;

    public override string Name => "scale";

    public override string Title => $"cluster of {Nodes} nodes";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        await using var cluster = await BenchCluster.StartAsync(Nodes);
        var rows = new List<Comparison>();
        foreach (var partitions in (int[])[1, 4, 16])
            rows.Add(await MeasureAsync(bench, cluster, partitions));
        return rows;
    }

    private async Task<Comparison> MeasureAsync(PeerBench bench, BenchCluster cluster, int partitions)
    {
        await cluster.FlushAsync();
        var before = await cluster.CommandsAsync();
        await bench.RunAsync("own", "--redis", cluster.Address, "--jobs", Words.Of(Jobs), "--partitions", Words.Of(partitions));
        var commands = (await cluster.CommandsAsync()).Zip(before, (after, earlier) => (double)(after - earlier)).ToList();
        var shares = commands.Select(count => count / commands.Sum()).ToList();
        return new Comparison
        {
            Measure = $"{Title}, {partitions} partition{(partitions == 1 ? "" : "s")}: commands of the busiest node",
            Ours = Figure.Of(shares.Max() * 100, " %"),
            Peers = [new("the even share", Figure.Of(100.0 / Nodes, " %"))],
            Target = partitions == 16 ? Target.AtMost(1.5, "the even share") : null,
            Note = "all: " + string.Join(", ", shares.Select(share => share.ToString("P0", CultureInfo.InvariantCulture))),
        };
    }
}
