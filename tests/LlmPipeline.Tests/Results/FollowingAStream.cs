using System.Globalization;
using System.Text;

namespace LlmPipeline;

public sealed class FollowingAStream
{
    private static readonly TimeSpan Safety = TimeSpan.FromSeconds(30), Pause = TimeSpan.FromMinutes(1);

    [Theory, ClassData(typeof(Stores))]
    public async Task A_follower_sees_every_delta_in_order_and_then_the_result(Store store)
    {
        var (redis, results, job) = await CreateAsync(store);
        var parts = await FollowAsync(redis, results, job, async () =>
        {
            var run = results.OpenStream(job, Pause);
            for (var n = 0; n < 500; n++)
                await run.PublishAsync($"d|{n}", default);
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
            await results.OpenStream(job, Pause).PublishAsync("a", default);
            var second = results.OpenStream(job, Pause);
            await second.PublishAsync("b", default);
            await second.PublishAsync("c", default);
            await results.PutAsync(Result(job));
        });
        Assert.Equal(["a", "b", "c"], parts.SkipLast(1).Select(p => p.Delta));
        Assert.Equal([false, true, false], parts.SkipLast(1).Select(p => p.Restarted));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Who_comes_late_gets_the_result_alone(Store store)
    {
        var (redis, results, job) = await CreateAsync(store);
        var run = results.OpenStream(job, Pause);
        await run.PublishAsync("a", default);
        // Behind it on its way: when this has been told, the first has been too.
        await redis.Subscriber.PublishAsync(redis.Channel($"result:{job}:stream"), "is anybody there?");
        var inTheMiddle = await FollowAsync(redis, results, job, async () =>
        {
            await run.PublishAsync("b", default);
            await results.PutAsync(Result(job));
        });
        Assert.NotNull(Assert.Single(inTheMiddle).Result);
        Assert.NotNull(Assert.Single(await FollowAsync(redis, results, job, () => Task.CompletedTask)).Result);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_slow_reader_slows_the_call_and_gets_every_delta(Store store)
    {
        const int Deltas = 5000, MostAhead = 34_000_000 / 10_000;
        var (redis, results, job) = await CreateAsync(store);
        var (published, ahead, read) = (0, 0, 0);
        var publishing = Task.CompletedTask;
        var parts = await FollowAsync(
            redis,
            results,
            job,
            async () =>
            {
                publishing = Task.Run(async () =>
                {
                    var run = results.OpenStream(job, Pause);
                    for (var n = 0; n < Deltas; n++, Interlocked.Increment(ref published))
                        await run.PublishAsync($"{n} {new string('x', 10_000)}", default);
                    await results.PutAsync(Result(job));
                });
                // The reader begins when as much waits for it as is kept without a pause.
                await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref published) >= 50), "deltas are published");
            },
            _ => ahead = Math.Max(ahead, Volatile.Read(ref published) - ++read));
        await publishing;

        Assert.InRange(ahead, 1, MostAhead);
        Assert.Equal(Enumerable.Range(0, Deltas), parts.SkipLast(1).Select(part => int.Parse(part.Delta!.Split(' ')[0], CultureInfo.InvariantCulture)));
        Assert.Equal("whole", Encoding.UTF8.GetString(parts[^1].Result!.Response.Span));
    }

    [Fact]
    public async Task A_call_that_has_waited_long_enough_goes_on_and_its_reader_gets_the_result()
    {
        var (redis, results, job) = await CreateAsync(Store.RedisServer);
        var parts = await FollowAsync(redis, results, job, async () =>
        {
            var run = results.OpenStream(job, TimeSpan.FromMilliseconds(100));
            for (var n = 0; n < 5000; n++)
                await run.PublishAsync(new string('x', 10_000), default);
            await results.PutAsync(Result(job));
        });
        Assert.InRange(parts.Count, 1, 3500);
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
    public async Task A_Redis_that_is_slow_slows_the_call_and_loses_nothing()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var run = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System).OpenStream("job", Pause);
        await run.PublishAsync("first", default);
        server.Freeze();
        var published = 0;
        var publishing = Task.Run(async () =>
        {
            for (; published < 100; Interlocked.Increment(ref published))
                await run.PublishAsync(new string('x', 100_000), default);
        });
        await Eventually.HoldsAsync(() => Task.FromResult(run.Unacknowledged > 1_000_000), "it waits for Redis");
        Assert.False(publishing.IsCompleted);
        Assert.InRange(run.Unacknowledged, 1_000_000, 1_300_000);
        server.Thaw();
        await publishing;
        Assert.Equal(100, published);
        await Eventually.HoldsAsync(() => Task.FromResult(run.Unacknowledged == 0), "what was sent is acknowledged");
    }

    [Fact]
    public void What_is_over_the_bound_is_dropped_and_nothing_is_taken_after_it()
    {
        var counted = 0L;
        var buffer = new DeltaBuffer(1000, bytes => counted += bytes);
        buffer.Add(new byte[600]);
        buffer.Add(new byte[5000]);
        Assert.Equal(buffer.Bytes, counted);
        Assert.False(buffer.IsOver);
        buffer.Add(new byte[10]);
        Assert.True(buffer.IsOver);
        Assert.False(buffer.TryRead(out _));
        Assert.Equal(0, counted);
    }

    /// <summary>Publishes deltas, and returns when they have arrived in this process.</summary>
    private static async Task PublishAsync(RedisConnections redis, ResultStore results, string job, int count, string delta)
    {
        var arrived = 0;
        var listening = await redis.Subscriber.SubscribeAsync(redis.Channel($"result:{job}:stream"));
        listening.OnMessage(_ => Interlocked.Increment(ref arrived));
        var run = results.OpenStream(job, Pause);
        for (var n = 1; n <= count; n++)
        {
            await run.PublishAsync(delta, default);
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
    private static async Task<List<StreamedPart>> FollowAsync(RedisConnections redis, ResultStore results, string job, Func<Task> act, Action<StreamedPart>? read = null)
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
            read?.Invoke(reader.Current);
            next = reader.MoveNextAsync().AsTask();
        }

        return parts;
    }
}
