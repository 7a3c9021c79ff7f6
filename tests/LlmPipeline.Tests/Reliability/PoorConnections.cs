namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class PoorConnections
{
    [Fact]
    public async Task Connections_that_are_reset_under_load_cost_nothing()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 50);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        fleet.StartWorker(16, proxy);
        fleet.StartWorker(16, proxy);
        var rows = await fleet.FeedAsync(async () =>
        {
            for (var cut = 1; cut <= 5; cut++)
            {
                await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
                proxy.Cut();
            }
        });

        await History.CheckAsync(fleet, rows, paidTwice: 0);
    }

    [Fact]
    public async Task A_connection_that_is_lost_again_and_again_fills_no_log()
    {
        await using var server = await RedisServer.StartAsync();
        await using var proxy = new TcpProxy(server.Port);
        var lines = new LogLines<RedisConnections>();
        await using var redis = await RedisConnections.ConnectAsync(RedisAddress.Parse(proxy.Address), TimeProvider.System, lines);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        for (var cut = 1; cut <= 3; cut++)
        {
            var before = redis.Losses;
            proxy.Cut();
            await Eventually.HoldsAsync(() => Task.FromResult(redis.Losses > before), "it is lost");
            await RedisRetry.UntilAnsweredAsync(() => redis.Database.PingAsync(), TimeProvider.System);
        }

        Assert.InRange(lines.All.Count(line => line.Contains("is lost (", StringComparison.Ordinal)), 1, 1 + (int)(watch.Elapsed.TotalSeconds / 10));
    }

    [Fact]
    public async Task A_Redis_that_is_far_away_costs_no_lease()
    {
        const int Rows = 200;
        await using var fleet = await TestFleet.StartAsync(latency: 50, lease: 3);
        await using var proxy = new TcpProxy(fleet.Server.Port) { Latency = TimeSpan.FromMilliseconds(200) };
        var workers = new[] { fleet.StartWorker(16, proxy), fleet.StartWorker(16, proxy) };
        await fleet.EnqueueAsync(1, Rows);

        await History.CheckAsync(fleet, Rows, paidTwice: 0);
        Assert.All(workers, worker => Assert.DoesNotContain("wait again", worker.Said));
    }

    /// <summary>Completions of more than 10 MB need far longer to Redis than a lease; renewals don't wait for them.</summary>
    [Fact]
    public async Task Leases_are_renewed_while_large_completions_are_on_their_way()
    {
        const int Rows = 2;
        const int Large = 10_000_000;
        // Each has half of the words at least.
        await using var fleet = await TestFleet.StartAsync(latency: 50, lease: 2, answerWords: 4_600_000);
        fleet.Set("MaxAnswerBytes", 100_000_000);
        await using var proxy = new TcpProxy(fleet.Server.Port) { BytesPerSecond = 4_000_000 };
        var worker = fleet.StartWorker(Rows, proxy);
        await fleet.EnqueueAsync(1, Rows);
        await fleet.PaidAsync(Rows);
        var other = fleet.StartWorker(Rows);

        await History.CheckAsync(fleet, Rows, paidTwice: 0);
        Assert.DoesNotContain("wait again", worker.Said + other.Said);
        var results = await fleet.Results.GetAsync([.. Enumerable.Range(1, Rows).Select(row => fleet.Row(row).Id)]);
        Assert.All(results, result => Assert.True(result!.Response.Length > Large, $"only {result.Response.Length} bytes"));
    }

    [Fact]
    public async Task A_silent_connection_costs_its_worker_what_it_held_and_no_more()
    {
        const int Concurrency = 8;
        await using var fleet = await TestFleet.StartAsync(latency: 200, lease: 3);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        fleet.StartWorker(Concurrency, proxy);
        WorkProcess? other = null;
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(50);
            proxy.Freeze();
            // Between two claims it may hold nothing.
            while ((await fleet.Queue.StatsAsync(fleet.Name)).Inflight == 0)
            {
                proxy.Thaw();
                await fleet.PaidAsync(fleet.Llm.Stats.Completed + 3);
                proxy.Freeze();
            }

            other = fleet.StartWorker(Concurrency);
            await fleet.HoldsAsync(() => Task.FromResult(other.Said.Contains("wait again")), "the other worker takes what the silent one held");
            proxy.Thaw();
            other.Kill();
            await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
        });

        await History.CheckAsync(fleet, rows, paidTwice: 2 * Concurrency);
    }
}
