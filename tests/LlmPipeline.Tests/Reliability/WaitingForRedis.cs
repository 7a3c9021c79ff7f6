using LlmPipeline.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline;

/// <summary>A Redis that is away is waited for by every call, and not only by those that somebody thought of.</summary>
public sealed class WaitingForRedis
{
    [Fact]
    public async Task A_worker_goes_on_when_connections_break_while_it_subscribes()
    {
        await using var server = await RedisServer.StartAsync();
        await using var proxy = new TcpProxy(server.Port);
        await using var redis = await Stores.ConnectAsync(proxy.Address);
        await using var direct = await Stores.ConnectAsync(server.Address);
        var (queue, results) = (new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System), new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System));
        await using var worker = new WorkerProcess(
            redis, queue, results, new ScriptedCaller((_, _) => Task.CompletedTask), new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance);

        // At its start, and when a new queue appears.
        var breaks = Break(proxy, 3);
        worker.ServeAll();
        await RunOneAsync(direct);
        breaks += Break(proxy, 3);
        await RunOneAsync(direct);

        Assert.False(worker.Failed.IsCompleted, $"{worker.Failed.Exception}");
        Assert.True(proxy.Count("SUBSCRIBE") > breaks);
    }

    [Fact]
    public async Task A_call_that_no_caller_repeats_is_repeated_until_the_server_takes_it()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await RedisConnections.ConnectAsync(RedisAddress.Parse(server.Address), TimeProvider.System, patience: RedisPatience.UntilAnswered);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        await RedisCluster.AskAsync(server, "REPLICAOF", "127.0.0.1", "1");
        var saving = queue.SavePromptAsync("sha", "name", new Dictionary<string, ReadOnlyMemory<byte>>());
        await Eventually.HoldsAsync(
            async () => saving.IsCompleted || (await RedisCluster.AskAsync(server, "INFO", "errorstats")).Contains("READONLY", StringComparison.Ordinal), "the server refuses it");
        Assert.False(saving.IsCompleted);
        await RedisCluster.AskAsync(server, "REPLICAOF", "NO", "ONE");
        await saving.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.NotNull(await queue.LoadPromptAsync("sha"));
    }

    [Fact]
    public async Task A_host_starts_while_Redis_is_away_and_its_worker_begins_when_it_answers()
    {
        await using var server = await RedisServer.StartAsync();
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions());
        await server.KillAsync();
        await using var services = new ServiceCollection()
            .AddPromptQueue(server.Address).AddResultStore(server.Address)
            .AddLlmWorker(server.Address, o => o.Deployments.Add(new DeploymentOptions { Name = "one", Endpoint = llm.BaseUrl.ToString() }))
            .BuildServiceProvider();
        var worker = services.GetServices<IHostedService>().Single();
        await worker.StartAsync(default);
        Assert.Throws<RedisUnreachableException>(services.GetRequiredService<PromptQueue>);
        await server.RestartAsync();

        var id = Stores.NewName("job");
        var body = """{"model":"m","messages":[{"role":"user","content":"hello"}]}"""u8.ToArray();
        await services.GetRequiredService<PromptQueue>().EnqueueAsync([new Job { Id = id, Queue = "m", Work = new RequestWork { Path = "/v1/chat/completions", Body = body } }]);
        var result = await services.GetRequiredService<ResultStore>().WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(ResultStatus.Completed, result.Status);
        await worker.StopAsync(default);
    }

    private static int Break(TcpProxy proxy, int times)
    {
        var left = times;
        proxy.OnCall = call => call.Verb != "SUBSCRIBE" || Interlocked.Decrement(ref left) < 0;
        return times;
    }

    private static async Task RunOneAsync(RedisConnections redis)
    {
        var (queue, results) = (new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System), new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System));
        var id = Stores.NewName("job");
        await queue.EnqueueAsync([new Job { Id = id, Queue = Stores.NewName("queue"), Work = new RequestWork { Path = "/v1/chat/completions", Body = TestQueue.Body("hello") } }]);
        await results.WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(60));
    }
}
