using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline.Bench;

/// <summary>A redis-server on a free port that keeps nothing on disk, and what it says of itself.</summary>
internal sealed class BenchRedis : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly string _folder;
    private readonly ConnectionMultiplexer _connection;
    private readonly IServer _server;

    private BenchRedis(ChildProcess process, ConnectionMultiplexer connection, int port, string folder)
    {
        _folder = folder;
        _process = process;
        _connection = connection;
        Port = port;
        _server = connection.GetServer("127.0.0.1", port);
    }

    public int Port { get; }

    /// <summary>HOST:PORT.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Starts one.</summary>
    /// <param name="options">Of redis-server, each word by itself.</param>
    /// <exception cref="FileNotFoundException">There is no redis-server.</exception>
    public static async Task<BenchRedis> StartAsync(params string[] options)
    {
        var port = Words.FreePort();
        var folder = Directory.CreateTempSubdirectory("llmpipe-bench-").FullName;
        var (process, _) = await ChildProcess.StartAsync(
            "redis-server", ["--port", Words.Of(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder, .. options],
            new Dictionary<string, string>(), "Ready to accept connections");
        // To forget ten million jobs takes seconds.
        return new BenchRedis(process, await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},allowAdmin=true,asyncTimeout=60000"), port, folder);
    }

    public Task FlushAsync() => _server.FlushAllDatabasesAsync();

    public async Task<string> VersionAsync() => await InfoAsync("server", "redis_version");

    /// <summary>What its process has used until now.</summary>
    public async Task<TimeSpan> CpuAsync() => TimeSpan.FromSeconds(
        double.Parse(await InfoAsync("cpu", "used_cpu_user"), CultureInfo.InvariantCulture) + double.Parse(await InfoAsync("cpu", "used_cpu_sys"), CultureInfo.InvariantCulture));

    /// <summary>Bytes.</summary>
    public async Task<long> MemoryAsync() => long.Parse(await InfoAsync("memory", "used_memory"), CultureInfo.InvariantCulture);

    /// <summary>The most bytes that it has had.</summary>
    public async Task<long> PeakMemoryAsync() => long.Parse(await InfoAsync("memory", "used_memory_peak"), CultureInfo.InvariantCulture);

    /// <summary>The longest script of its slow log, by what its text begins with; it must have been started with one.</summary>
    public async Task<string> LongestScriptAsync()
    {
        var scripts = (
            await _server.SlowlogGetAsync(100_000)).Where(entry =>
                entry.Arguments.Length > 1
                    && ((string)entry.Arguments[0]!).StartsWith("EVAL", StringComparison.OrdinalIgnoreCase)).ToList();
        if (scripts.MaxBy(entry => entry.Duration) is not { } longest)
            return "none above the limit";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{longest.Duration.TotalMilliseconds:0.0} ms of {scripts.Count} above 0.1 ms ({(string)longest.Arguments[2]!} keys "
                + $"from {(string)longest.Arguments[3]!} on)");
    }

    /// <summary>Commands that it has processed until now, those inside scripts too.</summary>
    public async Task<long> CommandsAsync() => long.Parse(await InfoAsync("stats", "total_commands_processed"), CultureInfo.InvariantCulture);

    /// <summary>Waits until the cluster that it belongs to has come about.</summary>
    public async Task ServesAllSlotsAsync()
    {
        for (var n = 0; n < 100; n++)
        {
            if (((string?)await _server.ExecuteAsync("CLUSTER", "INFO"))!.Contains("cluster_state:ok", StringComparison.Ordinal))
                return;
            await Task.Delay(100);
        }

        throw new MeasurementException("the cluster does not serve all slots");
    }

    /// <summary>Waits until all others have closed their connections, and what they used is given back.</summary>
    public async Task AloneAsync()
    {
        for (var n = 0; n < 100; n++)
        {
            // Two are this connection's own.
            if (int.Parse(await InfoAsync("clients", "connected_clients"), CultureInfo.InvariantCulture) <= 2)
                return;
            await Task.Delay(100);
        }

        throw new MeasurementException("a driver has left connections to Redis open");
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<string> InfoAsync(string section, string name) =>
        (await _server.InfoAsync(section)).SelectMany(group => group).First(pair => pair.Key == name).Value;
}
