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
