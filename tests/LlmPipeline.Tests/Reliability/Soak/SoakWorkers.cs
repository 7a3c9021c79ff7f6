using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>The workers of a soak, which its fleet disposes of, each behind a proxy of its own. The first is never ended, so that its memory can be watched.</summary>
internal sealed partial class SoakWorkers : IAsyncDisposable
{
    public const int Concurrency = 8;

    /// <summary>The Redis user of the workers.</summary>
    public const string User = "worker";

    /// <summary>Has redis-server know that user.</summary>
    public static readonly string[] RedisOptions = ["--user", User, "on", ">secret", "allkeys", "allchannels", "+@all"];

    private const string Login = User + ":secret";
    private readonly TestFleet _fleet;
    private readonly WorkProcess[] _processes;

    public SoakWorkers(TestFleet fleet, int count)
    {
        _fleet = fleet;
        Proxies = [.. Enumerable.Range(0, count).Select(_ => new TcpProxy(fleet.Server.Port))];
        _processes = [.. Proxies.Select(proxy => fleet.StartWorker(Concurrency, proxy, user: Login))];
    }

    public IReadOnlyList<TcpProxy> Proxies { get; }

    public int Count => _processes.Length;

    public WorkProcess this[int index] => _processes[index];

    /// <summary>The name by which Redis knows a worker; it says it when it begins.</summary>
    public async Task<string> NameAsync(int index)
    {
        await Eventually.HoldsAsync(
            () =>
            {
                // One that met no Redis when it began has ended, as it should.
                if (_processes[index].HasExited && !Name().IsMatch(_processes[index].Said))
                    Replace(index);
                return Task.FromResult(Name().IsMatch(_processes[index].Said));
            },
            "the worker has begun",
            TimeSpan.FromSeconds(60));
        return Name().Match(_processes[index].Said).Groups[1].Value;
    }

    /// <summary>Starts another one in its place.</summary>
    public void Replace(int index) => _processes[index] = _fleet.StartWorker(Concurrency, Proxies[index], user: Login);

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in Proxies)
            await proxy.DisposeAsync();
    }

    [GeneratedRegex(@"working on \S+ as ([^,\s]+),")]
    private static partial Regex Name();
}
