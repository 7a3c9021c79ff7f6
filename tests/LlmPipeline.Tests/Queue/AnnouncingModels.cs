using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline;

/// <summary>Covers <see cref="FleetModels"/>.</summary>
public sealed class AnnouncingModels
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_model_is_refused_only_while_a_live_worker_exists_and_none_serves_it(Store store)
    {
        var queue = await CreateAsync(store);
        Assert.Null(await New(queue).ReadAsync());
        Assert.False(await New(queue).IsRefusedAsync("other"));
        await using (await WakeUps.ListenForQueuesAsync(queue.Redis, queue.Options))
        {
            await queue.Queue.Models.AnnounceAsync("worker-1", ["known"]);
            Assert.Equal(["known"], (await New(queue).ReadAsync())!.Order());
            Assert.False(await New(queue).IsRefusedAsync("known"));
            Assert.True(await New(queue).IsRefusedAsync("other"));
            await queue.Queue.Models.AnnounceAsync("worker-2", ["more", FleetModels.Every]);
            Assert.False(await New(queue).IsRefusedAsync("other"));
            Assert.True(await New(queue).IsServedAsync("other"));
            await queue.Queue.Models.WithdrawAsync("worker-2");
            Assert.True(await New(queue).IsRefusedAsync("other"));
            await queue.Queue.Models.WithdrawAsync("worker-1");
            Assert.False(await New(queue).IsRefusedAsync("other"));
        }
    }

    [Fact]
    public async Task A_worker_of_an_earlier_version_which_announces_nothing_may_serve_every_model()
    {
        var queue = await CreateAsync(Store.RedisServer);
        await queue.Queue.Models.AnnounceAsync("worker-1", ["known"]);
        // It was killed: nobody listens.
        Assert.False(await New(queue).IsRefusedAsync("other"));
        await using var first = await WakeUps.ListenForQueuesAsync(queue.Redis, queue.Options);
        Assert.True(await New(queue).IsRefusedAsync("other"));
        await using var another = await Stores.ConnectAsync((await RedisServer.SharedAsync()).Address);
        await using var second = await WakeUps.ListenForQueuesAsync(another, queue.Options);
        Assert.False(await New(queue).IsRefusedAsync("other"));
    }

    [Fact]
    public async Task An_announcement_that_is_not_renewed_counts_no_more_and_is_removed()
    {
        var queue = await CreateAsync(Store.RedisServer);
        await using var listening = await WakeUps.ListenForQueuesAsync(queue.Redis, queue.Options);
        await AnnounceAsync("dying", TimeSpan.FromSeconds(31));
        await AnnounceAsync("dead", TimeSpan.FromMinutes(6));
        Assert.Null(await New(queue).ReadAsync());
        Assert.False(await New(queue).IsRefusedAsync("other"));
        Assert.Equal(["dying"], await queue.Database.HashKeysAsync(Key()));

        StackExchange.Redis.RedisKey Key() => QueueKeys.Models(queue.Options.KeyPrefix);

        async Task AnnounceAsync(string worker, TimeSpan ago) => await queue.Database.HashSetAsync(
            Key(), worker, $"{(await queue.Redis.Clock.NowAsync() - ago).ToUnixTimeMilliseconds()}\nknown");
    }

    [Fact]
    public async Task A_worker_announces_its_models_until_it_stops()
    {
        var queue = await CreateAsync(Store.RedisServer);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions { KeyPrefix = queue.Options.KeyPrefix }, TimeProvider.System);
        var llm = new LlmOptions();
        llm.Fallbacks.Add(new FallbackOptions { Model = "stand-in", To = ["first"] });
        llm.Deployments.Add(Deployment("one", "first"));
        llm.Deployments.Add(Deployment("two", "second"));
        await using var caller = new LlmCaller(llm, (_, _) => throw new NotSupportedException(), TimeProvider.System, NullLoggerFactory.Instance);
        await using (var worker = new WorkerProcess(queue.Redis, queue.Queue, results, caller, new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance))
        {
            worker.ServeAll();
            await Eventually.HoldsAsync(async () => await New(queue).ReadAsync() is not null, "it announces its models");
            Assert.Equal(["first", "second", "stand-in"], (await New(queue).ReadAsync())!.Order());
            await worker.StopAsync();
        }

        Assert.Null(await New(queue).ReadAsync());
    }

    private static DeploymentOptions Deployment(string name, string model) =>
        new() { Name = name, Model = model, Endpoint = "http://127.0.0.1:1/v1", ApiKey = "key" };

    // One that has read nothing yet.
    private static FleetModels New(TestQueue queue) => new PromptQueue(queue.Redis, queue.Options, TimeProvider.System).Models;

    private static Task<TestQueue> CreateAsync(Store store) => TestQueue.CreateAsync(store, options => options.KeyPrefix = Stores.NewName("app") + ":");
}
