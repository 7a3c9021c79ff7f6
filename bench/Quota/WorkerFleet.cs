using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>A redis-server, a queue that is never empty, and workers as processes.</summary>
internal sealed class WorkerFleet : IAsyncDisposable
{
    private const int Ahead = 2000;

    private readonly BenchRedis _server;
    private readonly RedisConnections _redis;
    private readonly PromptQueue _queue;
    private readonly List<ChildProcess> _workers = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _feeding = Task.CompletedTask;
    private int _fed;

    private WorkerFleet(BenchRedis server, RedisConnections redis)
    {
        _server = server;
        _redis = redis;
        _queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
    }

    /// <summary>What the workers have said.</summary>
    public string Said => string.Join('\n', _workers.Select(worker => worker.Said));

    public static async Task<WorkerFleet> StartAsync(QuotaScenario scenario, Uri endpoint, int concurrency)
    {
        var server = await BenchRedis.StartAsync();
        var fleet = new WorkerFleet(server, await RedisConnections.ConnectAsync(RedisAddress.Parse(server.Address), TimeProvider.System));
        await fleet.FeedAsync();
        fleet._feeding = fleet.KeepFeedingAsync();
        var environment = new Dictionary<string, string>
        {
            ["LLMPIPE__Deployments__0__Name"] = "judge",
            ["LLMPIPE__Deployments__0__Endpoint"] = new Uri(endpoint, "v1").ToString(),
            ["LLMPIPE__Deployments__0__Charge"] = scenario.Corrects ? "Used" : "Reserved",
            // The same number of threads and of heaps as on a small machine.
            ["DOTNET_gcServer"] = "0",
        };
        if (scenario.IsKnown)
        {
            environment["LLMPIPE__Deployments__0__RequestsPerMinute"] = Text(scenario.RequestsPerMinute);
            environment["LLMPIPE__Deployments__0__TokensPerMinute"] = Text(scenario.TokensPerMinute);
        }
        var starting = Enumerable.Range(0, scenario.Workers).Select(_ => ChildProcess.LlmpipeAsync(
            ["work", "--redis", server.Address, "--concurrency", Text(concurrency / scenario.Workers)], environment, "working on"));
        foreach (var (worker, _) in await Task.WhenAll(starting))
            fleet._workers.Add(worker);
        return fleet;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _feeding;
        foreach (var worker in _workers)
            await worker.DisposeAsync();
        await _redis.DisposeAsync();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    private async Task KeepFeedingAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(500, _stop.Token);
                if ((await _queue.StatsAsync("bench")).Waiting < Ahead / 2)
                    await FeedAsync();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The measurement is over.
        }
    }

    private async Task FeedAsync()
    {
        var jobs = Enumerable.Range(_fed, Ahead).Select(number => new Job
        {
            Id = $"bench.{number}",
            Queue = "bench",
            Work = new RequestWork { Path = "/v1/chat/completions", Body = Prompts.Body(number) },
        });
        foreach (var some in jobs.Chunk(250))
            await _queue.EnqueueAsync(some);
        _fed += Ahead;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
