using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>A Redis, an endpoint, a queue with a batch, and workers as processes.</summary>
internal sealed class TestFleet : IAsyncDisposable
{
    public static readonly string[] Durable = ["--appendonly", "yes", "--appendfsync", "always"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly Llmpipe _llmpipe = new();
    private readonly ConcurrentBag<WorkProcess> _workers = [];

    private readonly IAsyncDisposable _store;
    private readonly RedisServer? _server;
    private readonly string _address;

    private TestFleet(IAsyncDisposable store, string address, RedisConnections redis, LlmSimulator llm, int replicas, int? partitions)
    {
        _store = store;
        _server = store as RedisServer;
        _address = address;
        Redis = redis;
        Llm = llm;
        Queue = new PromptQueue(redis, new PromptQueueOptions { Replicas = replicas, Partitions = partitions }, TimeProvider.System);
        Results = new ResultStore(redis, new ResultStoreOptions { Replicas = replicas }, TimeProvider.System);
        _llmpipe.Environment["OPENAI_BASE_URL"] = llm.BaseUrl.ToString();
    }

    /// <summary>The one Redis that it runs on.</summary>
    public RedisServer Server => _server ?? throw new InvalidOperationException("it runs on a cluster");

    public RedisConnections Redis { get; }

    public LlmSimulator Llm { get; }

    public PromptQueue Queue { get; }

    public ResultStore Results { get; }

    public string Name { get; } = Stores.NewName("queue");

    public string Batch { get; } = Stores.NewName("batch");

    /// <param name="latency">Of each call to the LLM, ms.</param>
    /// <param name="lease">Of the workers, s.</param>
    /// <param name="answerWords">Words of an answer.</param>
    /// <param name="redis">Options of redis-server.</param>
    /// <param name="script">What the first calls to the LLM meet; 503 asks for <paramref name="retryAfter"/> s.</param>
    /// <param name="retryAfter">See there.</param>
    /// <param name="partitions">Of its queue; null for as many as a new queue gets.</param>
    /// <param name="failShare">The share of calls that end in a passing fault.</param>
    /// <param name="clock">Of redis-server; null for the machine's.</param>
    public static async Task<TestFleet> StartAsync(
        int latency = 50, double lease = 30, int answerWords = 24, string[]? redis = null, FaultKind[]? script = null, double retryAfter = 0.1, int? partitions = null, double failShare = 0,
        SteppedClock? clock = null)
    {
        var endpoint = new SimulatorOptions
        {
            Latency = TimeSpan.FromMilliseconds(latency),
            AnswerWords = answerWords,
            CountTokens = false,
            Script = script,
            RetryAfter = TimeSpan.FromSeconds(retryAfter),
            FailShare = failShare,
            Faults = [FaultKind.ServerError, FaultKind.TooManyRequests, FaultKind.Reset, FaultKind.Cut, FaultKind.NotJson],
        };
        return await StartAsync(endpoint, lease, redis, partitions, clock);
    }

    /// <summary>The same with an endpoint of its own.</summary>
    /// <param name="endpoint">How the endpoint answers.</param>
    /// <param name="lease">Of the workers, s.</param>
    /// <param name="redis">Options of redis-server.</param>
    /// <param name="partitions">Of its queue; null for as many as a new queue gets.</param>
    /// <param name="clock">Of redis-server; null for the machine's.</param>
    public static async Task<TestFleet> StartAsync(
        SimulatorOptions endpoint, double lease, string[]? redis = null, int? partitions = null, SteppedClock? clock = null)
    {
        var server = await RedisServer.StartAsync(() => redis ?? [], clock);
        var llm = await LlmSimulator.StartAsync(endpoint);
        return await StartAsync(server, server.Address, llm, lease, 0, partitions);
    }

    /// <summary>The same on a redis-server of the test's, which the fleet disposes of.</summary>
    /// <param name="server">Where.</param>
    /// <param name="latency">Of each call to the LLM, ms.</param>
    /// <param name="lease">Of the workers, s.</param>
    public static async Task<TestFleet> StartAsync(RedisServer server, int latency, double lease)
    {
        var llm = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(latency), CountTokens = false });
        return await StartAsync(server, server.Address, llm, lease, 0, 1);
    }

    /// <summary>The same on a cluster, which the fleet disposes of.</summary>
    /// <param name="cluster">Where.</param>
    /// <param name="replicas">That must have a job and a result before it counts.</param>
    /// <param name="latency">Of each call to the LLM, ms.</param>
    /// <param name="lease">Of the workers, s.</param>
    public static async Task<TestFleet> StartAsync(RedisCluster cluster, int replicas, int latency = 50, double lease = 30)
    {
        var llm = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(latency), CountTokens = false });
        var fleet = await StartAsync(cluster, cluster.Address, llm, lease, replicas, null);
        fleet.Set("Replicas", replicas);
        return fleet;
    }

    private static async Task<TestFleet> StartAsync(IAsyncDisposable store, string address, LlmSimulator llm, double lease, int replicas, int? partitions)
    {
        var fleet = new TestFleet(store, address, await Stores.ConnectAsync(address + ",allowAdmin=true"), llm, replicas, partitions);
        fleet.Set("Lease", lease);
        return fleet;
    }

    /// <summary>The environment of the workers to be started.</summary>
    public Dictionary<string, string> Environment => _llmpipe.Environment;

    /// <summary>A setting of the workers to be started; of a time, in seconds.</summary>
    public void Set(string setting, double value) => _llmpipe.Environment["LLMPIPE__" + setting] = value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Starts a worker, on the Redis itself or through a proxy.</summary>
    /// <param name="concurrency">Calls at a time.</param>
    /// <param name="through">The proxy.</param>
    /// <param name="clock">Sets its clock; null for the clock of the machine.</param>
    /// <param name="user">As whom it connects, with the password: <c>NAME:PASSWORD</c>; null for Redis' default user.</param>
    public WorkProcess StartWorker(int concurrency = 8, TcpProxy? through = null, WrongClock? clock = null, string? user = null)
    {
        clock?.Set(_llmpipe.Environment);
        var worker = new WorkProcess(_llmpipe.Start("work", "--redis", user is null ? through?.Address ?? _address : $"redis://{user}@{through?.Address ?? _address}", "--concurrency", $"{concurrency}"));
        WrongClock.Unset(_llmpipe.Environment);
        _workers.Add(worker);
        return worker;
    }

    /// <summary>Runs the program to its end, on the same Redis and endpoint.</summary>
    public Task<(int ExitCode, string Out, string Error)> RunAsync(params string[] arguments) => _llmpipe.RunAsync([.. arguments, "--redis", Server.Address]);

    /// <summary>Writes a file into the folder that <see cref="RunAsync"/> runs in.</summary>
    public void Write(string name, string text) => _llmpipe.Write(name, text);

    /// <summary>A row of the batch that ends well, or, with <paramref name="fails"/>, with an error for good.</summary>
    public Job Row(int row, bool fails = false, string? batch = null) => new()
    {
        Id = $"{batch ?? Batch}.{row}",
        Queue = Name,
        Batch = batch ?? Batch,
        Row = row,
        Work = new RequestWork
        {
            Path = "/v1/chat/completions",
            Body = Encoding.UTF8.GetBytes($$"""{"model":"{{Name}}","messages":{{(fails ? "7" : $$"""[{"role":"user","content":"row {{row}}"}]""")}}}"""),
        },
    };

    public Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(int from, int to) => Queue.EnqueueAsync([.. Enumerable.Range(from, to - from + 1).Select(r => Row(r))]);

    /// <summary>How far the batch is; waits for a Redis that is away.</summary>
    public Task<BatchProgress> ProgressAsync() => RedisRetry.UntilAnsweredAsync(
        async () =>
        {
            var follower = await Queue.Batches.FollowAsync(Batch, [Name]);
            await follower.ReadAsync(1);
            return follower.Progress;
        },
        TimeProvider.System);

    /// <summary>Enqueues rows, a few ahead of the workers, as long as <paramref name="test"/> runs; the answer is how many there are.</summary>
    /// <param name="test">What happens meanwhile.</param>
    /// <param name="fails">Each such row fails; 0 for none.</param>
    public async Task<int> FeedAsync(Func<Task> test, int fails = 0)
    {
        var rows = 0;
        var running = test();
        while (!running.IsCompleted)
        {
            // By what Redis knows: what it has forgotten of the rows fed ends only when they are fed again.
            var progress = await ProgressAsync();
            if (progress.Expected - progress.Ended < 100)
            {
                var next = Enumerable.Range(rows + 1, 50).Select(row => Row(row, fails > 0 && row % fails == 0)).ToList();
                await RedisRetry.UntilAnsweredAsync(() => Queue.EnqueueAsync(next), TimeProvider.System);
                rows += 50;
            }

            await Task.WhenAny(running, Task.Delay(20));
        }

        await running;
        return rows;
    }

    /// <summary>Tells the redis-server something.</summary>
    public Task<RedisResult> TellRedisAsync(params string[] words) => Redis.Database.ExecuteAsync(words[0], [.. words[1..]]);

    /// <summary>Waits until so many rows have ended.</summary>
    public Task EndAsync(int rows, TimeSpan? patience = null) => HoldsAsync(async () => (await ProgressAsync()).Ended >= rows, $"{rows} rows have ended", patience);

    /// <summary>Waits until so many calls were paid.</summary>
    public Task PaidAsync(long calls) => HoldsAsync(() => Task.FromResult(Llm.Stats.Completed >= calls), $"{calls} calls are paid");

    /// <summary>Waits; a failure tells what the workers have said.</summary>
    public async Task HoldsAsync(Func<Task<bool>> holds, string what, TimeSpan? patience = null)
    {
        try
        {
            await Eventually.HoldsAsync(holds, what, patience ?? Patience);
        }
        catch (Exception e)
        {
            var now = Redis.Database.Multiplexer.IsConnected ? $"{await Queue.StatsAsync(Name)} {await ProgressAsync()}" : "Redis is away";
            throw new InvalidOperationException($"{what}: {now}; the workers said: {string.Join("\n--\n", _workers.Select(w => w.Said))}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
            await worker.DisposeAsync();
        await Redis.DisposeAsync();
        await Llm.DisposeAsync();
        await _store.DisposeAsync();
        _llmpipe.Dispose();
    }
}
