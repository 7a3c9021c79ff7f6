using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// A Redis, an endpoint and workers, for the tests of one class. Each test has a model, and so a queue, of its own: a <see cref="FleetDesk"/>.
/// </summary>
public class FleetHouse : IAsyncLifetime
{
    private readonly Llmpipe _folder = new();
    private readonly List<WorkProcess> _workers = [];
    private readonly SemaphoreSlim _one = new(1);
    private readonly Func<Task<LlmSimulator>> _startLlm;
    private WorkProcess? _shared;

    public FleetHouse()
        : this(null)
    {
    }

    internal FleetHouse(SimulatorOptions? llm) =>
        _startLlm = () => LlmSimulator.StartAsync(llm ?? new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20), CountTokens = false });

    internal RedisServer Server { get; private set; } = null!;

    internal LlmSimulator Llm { get; private set; } = null!;

    internal RedisConnections Redis { get; private set; } = null!;

    internal PromptQueue Queue { get; private set; } = null!;

    internal ResultStore Results { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Server = await RedisServer.StartAsync();
        Llm = await _startLlm();
        Redis = await Stores.ConnectAsync(Server.Address);
        Queue = new PromptQueue(Redis, new PromptQueueOptions(), TimeProvider.System);
        Results = new ResultStore(Redis, new ResultStoreOptions(), TimeProvider.System);
        _folder.Environment["OPENAI_BASE_URL"] = Llm.BaseUrl.ToString();
    }

    /// <summary>A house of a test's own.</summary>
    internal static async Task<FleetHouse> StartAsync(SimulatorOptions llm)
    {
        var house = new FleetHouse(llm);
        await house.InitializeAsync();
        return house;
    }

    /// <summary>A setting of the workers to be started.</summary>
    internal void Set(string setting, string value) => _folder.Environment["LLMPIPE__" + setting] = value;

    /// <summary>Starts the worker that the tests of the class share; the first who asks waits for it.</summary>
    internal async Task<WorkProcess> WorkAsync()
    {
        await _one.WaitAsync();
        try
        {
            return _shared ??= await StartWorkerAsync();
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Starts a worker and waits until it works.</summary>
    internal async Task<WorkProcess> StartWorkerAsync(int concurrency = 8, params string[] options)
    {
        var worker = new WorkProcess(_folder.Start(["work", "--redis", Server.Address, "--concurrency", $"{concurrency}", .. options]));
        _workers.Add(worker);
        await Eventually.HoldsAsync(() => Task.FromResult(worker.HasExited || worker.Said.Contains("working on")), "the worker works", TimeSpan.FromSeconds(60));
        Assert.False(worker.HasExited, worker.Said);
        return worker;
    }

    /// <summary>The keys of its Redis that a pattern fits.</summary>
    internal async Task<IReadOnlyList<RedisKey>> KeysAsync(string pattern) => [.. (RedisKey[])(await Redis.Database.ExecuteAsync("KEYS", pattern))!];

    public async Task DisposeAsync()
    {
        foreach (var worker in _workers)
            await worker.DisposeAsync();
        await Redis.DisposeAsync();
        await Llm.DisposeAsync();
        await Server.DisposeAsync();
        _folder.Dispose();
        _one.Dispose();
    }
}
