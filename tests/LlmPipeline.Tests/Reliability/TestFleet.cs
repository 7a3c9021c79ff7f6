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

    private TestFleet(RedisServer server, RedisConnections redis, LlmSimulator llm)
    {
        Server = server;
        Redis = redis;
        Llm = llm;
        Queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        Results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        _llmpipe.Environment["OPENAI_BASE_URL"] = llm.BaseUrl.ToString();
    }

    public RedisServer Server { get; }

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
    public static async Task<TestFleet> StartAsync(int latency = 50, double lease = 30, int answerWords = 24, string[]? redis = null)
    {
        var server = await RedisServer.StartAsync(redis ?? []);
        var llm = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(latency), AnswerWords = answerWords, CountTokens = false });
        var fleet = new TestFleet(server, await Stores.ConnectAsync(server.Address + ",allowAdmin=true"), llm);
        fleet.Set("Lease", lease);
        return fleet;
    }

    /// <summary>A setting of the workers to be started, in seconds.</summary>
    public void Set(string setting, double seconds) => _llmpipe.Environment["LLMPIPE__" + setting] = seconds.ToString(CultureInfo.InvariantCulture);

    /// <summary>Starts a worker, on the Redis itself or through a proxy.</summary>
    public WorkProcess StartWorker(int concurrency = 8, TcpProxy? through = null)
    {
        var worker = new WorkProcess(_llmpipe.Start("work", "--redis", through?.Address ?? Server.Address, "--concurrency", $"{concurrency}"));
        _workers.Add(worker);
        return worker;
    }

    /// <summary>A row of the batch that ends well, or, with <paramref name="fails"/>, with an error for good.</summary>
    public Job Row(int row, bool fails = false) => new()
    {
        Id = $"{Batch}.{row}",
        Queue = Name,
        Batch = Batch,
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
            if (rows - (await ProgressAsync()).Ended < 100)
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
    public Task<RedisResult> TellRedisAsync(params string[] words) => Redis.Commands.ExecuteAsync(words[0], [.. words[1..]]);

    /// <summary>Waits until so many rows have ended.</summary>
    public Task EndAsync(int rows) => HoldsAsync(async () => (await ProgressAsync()).Ended >= rows, $"{rows} rows have ended");

    /// <summary>Waits until so many calls were paid.</summary>
    public Task PaidAsync(long calls) => HoldsAsync(() => Task.FromResult(Llm.Stats.Completed >= calls), $"{calls} calls are paid");

    /// <summary>Waits; a failure tells what the workers have said.</summary>
    public async Task HoldsAsync(Func<Task<bool>> holds, string what)
    {
        try
        {
            await Eventually.HoldsAsync(holds, what, Patience);
        }
        catch (Exception e)
        {
            var now = Redis.Commands.Multiplexer.IsConnected ? $"{await Queue.StatsAsync(Name)} {await ProgressAsync()}" : "Redis is away";
            throw new InvalidOperationException($"{what}: {now}; the workers said: {string.Join("\n--\n", _workers.Select(w => w.Said))}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
            await worker.DisposeAsync();
        await Redis.DisposeAsync();
        await Llm.DisposeAsync();
        await Server.DisposeAsync();
        _llmpipe.Dispose();
    }
}
