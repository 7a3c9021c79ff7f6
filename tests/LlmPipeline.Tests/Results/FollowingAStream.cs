using System.Text;

namespace LlmPipeline;

public sealed class FollowingAStream
{
    private static readonly TimeSpan Safety = TimeSpan.FromSeconds(30);

    [Theory, ClassData(typeof(Stores))]
    public async Task A_follower_sees_every_delta_in_order_and_then_the_result(Store store)
    {
        var (redis, results, job) = await CreateAsync(store);
        var parts = await FollowAsync(redis, results, job, async () =>
        {
            var run = results.OpenStream(job);
            for (var n = 0; n < 500; n++)
                run.Publish($"d|{n}");
            await results.PutAsync(Result(job));
        });
        Assert.Equal(Enumerable.Range(0, 500).Select(n => $"d|{n}"), parts.SkipLast(1).Select(p => p.Delta));
        Assert.DoesNotContain(parts, p => p.Restarted);
        Assert.Equal("whole", Encoding.UTF8.GetString(parts[^1].Result!.Response.Span));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_second_call_begins_anew(Store store)
    {
        var (redis, results, job) = await CreateAsync(store);
        var parts = await FollowAsync(redis, results, job, async () =>
        {
            results.OpenStream(job).Publish("a");
            var second = results.OpenStream(job);
            second.Publish("b");
            second.Publish("c");
            await results.PutAsync(Result(job));
        });
        Assert.Equal(["a", "b", "c"], parts.SkipLast(1).Select(p => p.Delta));
        Assert.Equal([false, true, false], parts.SkipLast(1).Select(p => p.Restarted));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Who_comes_late_gets_the_result_alone(Store store)
    {
        var (redis, results, job) = await CreateAsync(store);
        var run = results.OpenStream(job);
        run.Publish("a");
        // Behind it on its way: when this has been told, the first has been too.
        await redis.Subscriber.PublishAsync(redis.Channel($"result:{job}:stream"), "is anybody there?");
        var inTheMiddle = await FollowAsync(redis, results, job, async () =>
        {
            run.Publish("b");
            await results.PutAsync(Result(job));
        });
        Assert.NotNull(Assert.Single(inTheMiddle).Result);
        Assert.NotNull(Assert.Single(await FollowAsync(redis, results, job, () => Task.CompletedTask)).Result);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_reader_that_stops_is_not_buffered_for_without_end_and_gets_the_result(Store store)
    {
        const int Deltas = 300;
        var (redis, results, job) = await CreateAsync(store);
        var parts = await FollowAsync(redis, results, job, async () =>
        {
            // 3 MB before anything is read.
            await PublishAsync(redis, results, job, Deltas, new string('x', 10_000));
            await results.PutAsync(Result(job));
        });
        Assert.InRange(parts.Count, 1, Deltas / 2);
        Assert.Equal("whole", Encoding.UTF8.GetString(parts[^1].Result!.Response.Span));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_delta_of_megabytes_is_passed_on(Store store)
    {
        var (redis, results, job) = await CreateAsync(store);
        var large = new string('x', 5_000_000);
        var parts = await FollowAsync(redis, results, job, async () =>
        {
            await PublishAsync(redis, results, job, 1, large);
            await results.PutAsync(Result(job));
        });
        Assert.Equal(large, parts[0].Delta);
    }

    [Fact]
    public async Task Deltas_that_Redis_does_not_take_do_not_pile_up()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var run = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System).OpenStream("job");
        server.Freeze();
        for (var n = 0; n < 1000; n++)
            run.Publish(new string('x', 100_000));
        Assert.InRange(run.Untaken, 1, 3_000_000);
        server.Thaw();
        await Eventually.HoldsAsync(() => Task.FromResult(run.Untaken == 0), "what was sent is taken");
    }

    [Fact]
    public void What_is_over_the_bound_is_dropped_and_nothing_is_taken_after_it()
    {
        var buffer = new DeltaBuffer(1000);
        buffer.Add(new byte[600]);
        buffer.Add(new byte[600]);
        buffer.Add(new byte[10]);
        Assert.True(buffer.IsOver);
        Assert.False(buffer.TryRead(out _));

        var large = new DeltaBuffer(1000);
        large.Add(new byte[5000]);
        Assert.True(large.TryRead(out var delta));
        Assert.Equal(5000, delta.Length);
        large.Add(new byte[600]);
        Assert.False(large.IsOver);
    }

    /// <summary>Publishes deltas, and returns when they have arrived in this process.</summary>
    private static async Task PublishAsync(RedisConnections redis, ResultStore results, string job, int count, string delta)
    {
        var arrived = 0;
        var listening = await redis.Subscriber.SubscribeAsync(redis.Channel($"result:{job}:stream"));
        listening.OnMessage(_ => Interlocked.Increment(ref arrived));
        var run = results.OpenStream(job);
        for (var n = 1; n <= count; n++)
        {
            run.Publish(delta);
            // No more than a publisher may have on its way.
            if (n % 50 == 0 || n == count)
                await Eventually.HoldsAsync(
                    () => Task.FromResult(Volatile.Read(ref arrived) >= n), "they have arrived", TimeSpan.FromSeconds(60));
        }

        await listening.UnsubscribeAsync();
    }

    private static async Task<(RedisConnections Redis, ResultStore Results, string Job)> CreateAsync(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        return (redis, new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System), Stores.NewName("job"));
    }

    private static JobResult Result(string job) => new() { JobId = job, Status = ResultStatus.Completed, Response = "whole"u8.ToArray(), Meta = new ResultMeta() };

    /// <summary>Follows, does what is to be seen once the follower listens, and reads to the end.</summary>
    private static async Task<List<StreamedPart>> FollowAsync(RedisConnections redis, ResultStore results, string job, Func<Task> act)
    {
        using var safety = new CancellationTokenSource(Safety);
        var parts = new List<StreamedPart>();
        await using var reader = results.StreamAsync(job, safety.Token).GetAsyncEnumerator(safety.Token);
        var next = reader.MoveNextAsync().AsTask();
        await Eventually.HoldsAsync(
            async () => next.IsCompleted || await redis.Subscriber.PublishAsync(redis.Channel($"result:{job}:stream"), "is anybody there?") > 0, "it listens");
        await act();
        while (await next)
        {
            parts.Add(reader.Current);
            next = reader.MoveNextAsync().AsTask();
        }

        return parts;
    }
}
