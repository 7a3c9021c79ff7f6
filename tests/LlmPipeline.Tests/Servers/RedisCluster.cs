using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LlmPipeline;

/// <summary>A Redis Cluster of redis-server processes on loopback: masters that share the slots, and replicas when asked for.</summary>
internal sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16384;
    private static readonly Lazy<Task<RedisCluster>> OfTheTests = new(() => StartAsync());
    private static readonly Lazy<Task<RedisConnections>> Connections = new(async () => await Stores.ConnectAsync((await OfTheTests.Value).Address));

    private RedisCluster(IReadOnlyList<RedisServer> masters, IReadOnlyList<RedisServer> replicas)
    {
        Masters = masters;
        Replicas = replicas;
    }

    /// <summary>The masters, in the order of their slots.</summary>
    public IReadOnlyList<RedisServer> Masters { get; }

    /// <summary>The replicas, the first of them of the first master, and so on around.</summary>
    public IReadOnlyList<RedisServer> Replicas { get; }

    public string Address => string.Join(',', Masters.Select(server => server.Address));

    /// <summary>The one that all tests share which don't hurt it: three masters, no replica.</summary>
    public static Task<RedisCluster> SharedAsync() => OfTheTests.Value;

    /// <summary>The connections of the tests to the shared one.</summary>
    public static Task<RedisConnections> ConnectAsync() => Connections.Value;

    /// <summary>Starts one and waits until it serves all slots and each replica follows its master.</summary>
    /// <param name="masters">How many share the slots.</param>
    /// <param name="replicas">Replicas of each.</param>
    /// <param name="options">Of redis-server, each word by itself, such as <c>--cluster-node-timeout 1000</c>.</param>
    public static async Task<RedisCluster> StartAsync(int masters = 3, int replicas = 0, params string[] options)
    {
        var servers = await Task.WhenAll(Enumerable.Range(0, masters * (1 + replicas)).Select(_ => StartNodeAsync(options)));
        var cluster = new RedisCluster(servers[..masters], servers[masters..]);
        try
        {
            await cluster.JoinAsync();
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }

        return cluster;
    }

    /// <summary>The master whose slots hold <paramref name="key"/>, and its first replica, as they were at the start.</summary>
    public async Task<(RedisServer Master, RedisServer Replica)> HolderAsync(string key)
    {
        var slot = int.Parse(await AskAsync(Masters[0], "cluster", "keyslot", key), CultureInfo.InvariantCulture);
        var n = Enumerable.Range(0, Masters.Count).Last(n => n * Slots / Masters.Count <= slot);
        return (Masters[n], Replicas[n]);
    }

    /// <summary>Asks one of its servers, by redis-cli.</summary>
    public static async Task<string> AskAsync(RedisServer server, params string[] words)
    {
        var start = new ProcessStartInfo("redis-cli") { RedirectStandardOutput = true };
        foreach (var word in (string[])["-p", Text(server.Port), .. words])
            start.ArgumentList.Add(word);
        using var process = Process.Start(start)!;
        var answer = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 && !answer.StartsWith("ERR", StringComparison.Ordinal)
            ? answer
            : throw new InvalidOperationException($"redis-cli {string.Join(' ', words)}: {answer}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Masters.Concat(Replicas))
            await server.DisposeAsync();
    }

    // Its bus listens 10,000 above the port unless told otherwise, and that may be above 65,535.
    private static Task<RedisServer> StartNodeAsync(string[] options) =>
        RedisServer.StartAsync(() => ["--cluster-enabled", "yes", "--cluster-port", FreePort().ToString(CultureInfo.InvariantCulture), .. options]);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task JoinAsync()
    {
        var nodes = new List<(RedisServer Server, string Id, string Bus)>();
        foreach (var server in Masters.Concat(Replicas))
        {
            var line = await AskAsync(server, "cluster", "nodes");
            // ID IP:PORT@BUS,… myself,master …
            var words = line.Split(' ');
            nodes.Add((server, words[0], words[1].Split('@')[1].Split(',')[0]));
        }

        foreach (var (server, _, bus) in nodes.Skip(1))
            await AskAsync(nodes[0].Server, "cluster", "meet", "127.0.0.1", server.Port.ToString(CultureInfo.InvariantCulture), bus);
        for (var n = 0; n < Masters.Count; n++)
            await AskAsync(Masters[n], ["cluster", "addslotsrange", Text(n * Slots / Masters.Count), Text(((n + 1) * Slots / Masters.Count) - 1)]);
        foreach (var (server, _, _) in nodes)
        {
            await Eventually.HoldsAsync(
                async () => (await AskAsync(server, "cluster", "nodes")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length == nodes.Count, "every node knows every other", TimeSpan.FromSeconds(60));
        }

        for (var n = 0; n < Replicas.Count; n++)
            await AskAsync(Replicas[n], "cluster", "replicate", nodes[n % Masters.Count].Id);
        foreach (var (server, _, _) in nodes)
            await Eventually.HoldsAsync(async () => (await AskAsync(server, "cluster", "info")).Contains("cluster_state:ok", StringComparison.Ordinal), "the cluster serves all slots", TimeSpan.FromSeconds(60));
        foreach (var replica in Replicas)
            await Eventually.HoldsAsync(async () => (await AskAsync(replica, "info", "replication")).Contains("master_link_status:up", StringComparison.Ordinal), "a replica follows", TimeSpan.FromSeconds(60));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
