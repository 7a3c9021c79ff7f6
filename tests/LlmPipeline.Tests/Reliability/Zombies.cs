using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline;

/// <summary>Workers that Redis has not heard of for longer than a lease, and that come back: other workers have their jobs.</summary>
[Trait("Category", "Slow")]
[Collection(nameof(Alone))]
public sealed class Zombies
{
    private const int Rows = 5;

    [Fact]
    public async Task A_completion_that_it_brings_takes_the_place_of_an_error()
    {
        await using var fleet = await TestFleet.StartAsync(
            latency: 1000, lease: 2, script: [.. Enumerable.Repeat(FaultKind.None, Rows), .. Enumerable.Repeat(FaultKind.ContentFilter, Rows)]);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        var zombie = await FreezeAsync(fleet, proxy);
        fleet.StartWorker(Rows);
        await fleet.HoldsAsync(async () => await fleet.ProgressAsync() == new BatchProgress(Rows, 0, Rows, 0), "the other worker has met errors");
        Assert.All(await StoredAsync(fleet), result => Assert.Equal(ResultStatus.Failed, result.Status));
        proxy.Thaw();

        await fleet.HoldsAsync(async () => await fleet.ProgressAsync() == new BatchProgress(Rows, Rows, 0, 0), "the completions are counted in place of the errors");
        Assert.All(await StoredAsync(fleet), result => Assert.Equal(ResultStatus.Completed, result.Status));
        Assert.Equal(new QueueStats(0, 0, 0, 0), await fleet.Queue.StatsAsync(fleet.Name));
        await OnePlace.AssertAsync(fleet.Redis.Database, await fleet.Queue.PartitionsAsync(fleet.Name));
        zombie.Terminate();
        Assert.Equal(0, await zombie.ExitedAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task A_completion_that_it_brings_changes_nothing_where_another_stands()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 1000, lease: 2);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        var zombie = await FreezeAsync(fleet, proxy);
        fleet.StartWorker(Rows);
        await fleet.EndAsync(Rows);
        var before = await StoredAsync(fleet);
        proxy.Thaw();
        await fleet.HoldsAsync(() => Task.FromResult(proxy.Count("put") > 0), "the zombie brings its completions");
        zombie.Terminate();
        Assert.Equal(0, await zombie.ExitedAsync(TimeSpan.FromSeconds(60)));

        Assert.Equal(before.Select(result => result.Meta), (await StoredAsync(fleet)).Select(result => result.Meta));
        await History.CheckAsync(fleet, Rows, paidTwice: Rows);
    }

    /// <summary>Its calls end while Redis does not hear of it; the jobs are another's, who still runs them.</summary>
    [Fact]
    public async Task What_it_cannot_settle_is_counted() =>
        Assert.Equal(Rows, await MeasureAsync("llmpipeline.settle.fenced", latency: 8000, endsBeforeOther: true, thawed: (_, calls) => calls == 2 * Rows));

    /// <summary>Its calls still run when Redis hears of it again.</summary>
    [Fact]
    public async Task What_it_cannot_extend_is_counted() =>
        Assert.Equal(Rows, await MeasureAsync("llmpipeline.leases.lost", latency: 12_000, endsBeforeOther: false, thawed: (fleet, calls) => calls == 2 * Rows && fleet.Llm.Stats.Completed == 0));

    /// <summary>A worker in this process becomes a zombie: what does its meter count?</summary>
    private static async Task<long> MeasureAsync(string instrument, int latency, bool endsBeforeOther, Func<TestFleet, long, bool> thawed)
    {
        await using var fleet = await TestFleet.StartAsync(latency: latency, lease: 2);
        var counted = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (published, all) =>
        {
            if (published.Name == instrument)
                all.EnableMeasurementEvents(published);
        };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag.Value as string == fleet.Name)
                    Interlocked.Add(ref counted, count);
            }
        });
        listener.Start();

        await using var proxy = new TcpProxy(fleet.Server.Port);
        await using var redis = await Stores.ConnectAsync(proxy.Address);
        var queue = new PromptQueue(redis, new PromptQueueOptions { Lease = TimeSpan.FromSeconds(2) }, TimeProvider.System);
        var llm = new LlmOptions();
        llm.Deployments.Add(new DeploymentOptions { Name = "simulator", Endpoint = fleet.Llm.BaseUrl.ToString() });
        await using var caller = new LlmCaller(llm, new PromptFunctionSource(queue).FindAsync, TimeProvider.System, NullLoggerFactory.Instance);
        await using var zombie = new WorkerProcess(
            redis, queue, new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System), caller, new WorkerOptions { Concurrency = Rows }, TimeProvider.System, NullLoggerFactory.Instance);
        await fleet.EnqueueAsync(1, Rows);
        zombie.ServeAll();
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Rows), "each row is called for");
        proxy.Freeze();
        // Its end of a job comes while the other runs that, which is for the whole of the latency.
        if (endsBeforeOther)
            await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.Completed == Rows), "its calls have ended");
        fleet.StartWorker(Rows);
        await fleet.HoldsAsync(() => Task.FromResult(thawed(fleet, fleet.Llm.Stats.Calls)), "the other worker has called for each row");
        proxy.Thaw();
        await fleet.HoldsAsync(() => Task.FromResult(Interlocked.Read(ref counted) >= Rows), $"{instrument} is counted");
        await History.CheckAsync(fleet, Rows, paidTwice: Rows);
        await zombie.StopAsync();
        return Interlocked.Read(ref counted);
    }

    /// <summary>A worker whose calls have all been answered while Redis hears nothing of it any more.</summary>
    private static async Task<WorkProcess> FreezeAsync(TestFleet fleet, TcpProxy proxy)
    {
        var zombie = fleet.StartWorker(Rows, proxy);
        await fleet.EnqueueAsync(1, Rows);
        await fleet.HoldsAsync(() => Task.FromResult(fleet.Llm.Stats.InFlight == Rows), "the zombie has called for each row");
        proxy.Freeze();
        await fleet.PaidAsync(Rows);
        return zombie;
    }

    private static async Task<List<JobResult>> StoredAsync(TestFleet fleet) =>
        [.. (await fleet.Results.GetAsync([.. Enumerable.Range(1, Rows).Select(row => fleet.Row(row).Id)])).Select(result => result!)];
}
