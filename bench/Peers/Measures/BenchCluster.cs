namespace LlmPipeline.Bench;

/// <summary>A Redis Cluster of masters on loopback.</summary>
internal sealed class BenchCluster : IAsyncDisposable
{
    private readonly List<BenchRedis> _nodes = [];

    /// <summary>HOST:PORT, one after the other.</summary>
    public string Address => string.Join(',', _nodes.Select(node => node.Address));

    /// <exception cref="MeasurementException">It does not come about.</exception>
    public static async Task<BenchCluster> StartAsync(int nodes)
    {
        var cluster = new BenchCluster();
        try
        {
            for (var n = 0; n < nodes; n++)
                cluster._nodes.Add(await BenchRedis.StartAsync("--cluster-enabled", "yes", "--cluster-port", Words.Of(Words.FreePort())));
            await FinishedProcess.RunAsync("redis-cli", ["--cluster", "create", .. cluster._nodes.Select(node => node.Address), "--cluster-yes"]);
            foreach (var node in cluster._nodes)
                await node.ServesAllSlotsAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task FlushAsync()
    {
        foreach (var node in _nodes)
            await node.FlushAsync();
    }

    /// <summary>Commands that each node has processed until now, those inside scripts too.</summary>
    public async Task<IReadOnlyList<long>> CommandsAsync()
    {
        var counts = new List<long>();
        foreach (var node in _nodes)
            counts.Add(await node.CommandsAsync());
        return counts;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
    }
}
