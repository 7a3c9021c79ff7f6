using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline;

public sealed class WaitingForResults
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_waiter_is_woken_by_the_message_and_not_by_its_clock(Store store)
    {
        // A clock that stands: only the message can wake.
        var redis = await Stores.ConnectAsync(store);
        var results = new ResultStore(redis, new ResultStoreOptions(), new FakeTimeProvider());
        var id = Stores.NewName("job");
        var waiters = Enumerable.Range(0, 3).Select(_ => results.WaitAsync(id)).ToArray();
        await SubscribedAsync(redis, id, 1);
        Assert.All(waiters, w => Assert.False(w.IsCompleted));
        await results.PutAsync(Result(id, ResultStatus.Completed));
        foreach (var result in await Task.WhenAll(waiters).WaitAsync(TimeSpan.FromSeconds(20)))
            Assert.Equal(ResultStatus.Completed, result.Status);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_waiter_with_little_memory_gets_the_size_before_the_result_is_fetched(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var id = Stores.NewName("job");
        var (told, room) = (new TaskCompletionSource<long>(), new TaskCompletionSource());
        var waiting = results.WaitAsync(
            id,
            bytes =>
            {
                told.SetResult(bytes);
                return room.Task;
            },
            CancellationToken.None);
        await results.PutAsync(Result(id, ResultStatus.Completed) with { Response = new byte[1234] });

        Assert.Equal(1234, await told.Task.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.False(waiting.IsCompleted);
        room.SetResult();
        Assert.Equal(1234, (await waiting.WaitAsync(TimeSpan.FromSeconds(20))).Response.Length);
    }

    [Theory]
    [InlineData(Store.RedisServer)]
    [InlineData(Store.Embedded)]
    public async Task Results_are_told_of_only_while_somebody_waits_for_one(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var prefix = Stores.NewName("waited");
        var results = new ResultStore(redis, new ResultStoreOptions { KeyPrefix = prefix }, new FakeTimeProvider());
        var told = new List<string>();
        var last = new TaskCompletionSource();
        foreach (var id in (string[])["before", "other", "awaited"])
        {
            (await redis.Subscriber.SubscribeAsync(redis.Channel($"{prefix}result:{id}"))).OnMessage(_ =>
            {
                lock (told)
                    told.Add(id);
                if (id == "awaited")
                    last.TrySetResult();
            });
        }

        await results.PutAsync(Result("before", ResultStatus.Completed));
        var waiter = results.WaitAsync("awaited");
        await Eventually.HoldsAsync(() => redis.Database.KeyExistsAsync(prefix + "results:waited"), "it is known that somebody waits");
        await results.PutAsync(Result("other", ResultStatus.Completed));
        await results.PutAsync(Result("awaited", ResultStatus.Completed));
        await waiter.WaitAsync(TimeSpan.FromSeconds(20));
        await last.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await Eventually.HoldsAsync(() => Task.FromResult(Told().Contains("other")), "the other result is told of too");
        Assert.DoesNotContain("before", Told());

        string[] Told()
        {
            lock (told)
                return [.. told];
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Who_comes_late_is_answered_at_once(Store store)
    {
        var results = new ResultStore(await Stores.ConnectAsync(store), new ResultStoreOptions(), new FakeTimeProvider());
        var id = Stores.NewName("job");
        await results.PutAsync(Result(id, ResultStatus.Failed));
        Assert.Equal(ResultStatus.Failed, (await results.WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(20))).Status);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_lost_message_costs_a_second_and_not_the_answer(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var time = new FakeTimeProvider();
        var results = new ResultStore(redis, new ResultStoreOptions(), time);
        var id = Stores.NewName("job");
        var waiter = results.WaitAsync(id);
        await SubscribedAsync(redis, id, 1);
        await redis.Database.HashSetAsync($"result:{id}", [new("status", "completed"), new("body", "{}"), new("meta", "{}")]);
        await Eventually.HoldsAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(waiter.IsCompleted);
            },
            "the waiter looked by itself");
        Assert.Equal(id, (await waiter).JobId);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task After_errors_are_forgotten_a_waiter_waits_for_the_next_run(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var results = new ResultStore(redis, new ResultStoreOptions(), new FakeTimeProvider());
        var id = Stores.NewName("job");
        await results.PutAsync(Result(id, ResultStatus.Failed));
        await results.ForgetErrorsAsync([id]);
        var waiter = results.WaitAsync(id);
        await SubscribedAsync(redis, id, 1);
        Assert.False(waiter.IsCompleted);
        await results.PutAsync(Result(id, ResultStatus.Completed));
        Assert.Equal(ResultStatus.Completed, (await waiter.WaitAsync(TimeSpan.FromSeconds(20))).Status);
    }

    [Fact]
    public async Task A_cancelled_wait_ends_with_the_cancellation_and_leaves_no_subscription()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var id = Stores.NewName("job");
        using var cancellation = new CancellationTokenSource();
        var waiter = results.WaitAsync(id, cancellation.Token);
        await SubscribedAsync(redis, id, 1);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiter);
        await SubscribedAsync(redis, id, 0);
    }

    [Fact]
    public async Task A_waiter_outlives_a_server_that_is_restarted()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var waiter = results.WaitAsync("job");
        await SubscribedAsync(redis, "job", 1);
        await server.KillAsync();
        await server.RestartAsync();
        await RedisRetry.UntilAnsweredAsync(() => results.PutAsync(Result("job", ResultStatus.Completed)), TimeProvider.System);
        Assert.Equal(ResultStatus.Completed, (await waiter.WaitAsync(TimeSpan.FromSeconds(30))).Status);
    }

    private static JobResult Result(string id, ResultStatus status) => new() { JobId = id, Status = status, Meta = new ResultMeta() };

    private static Task SubscribedAsync(RedisConnections redis, string id, long subscribers) => Eventually.HoldsAsync(
        async () =>
        {
            var found = 0L;
            foreach (var master in redis.Masters())
            {
                var answer = (StackExchange.Redis.RedisResult[])(await master.ExecuteAsync("PUBSUB", redis.PublishVerb == "SPUBLISH" ? "SHARDNUMSUB" : "NUMSUB", $"result:{id}"))!;
                found += (long)answer[1];
            }

            return found == subscribers;
        },
        $"{subscribers} subscriptions");
}
