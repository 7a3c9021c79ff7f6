namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class LosingAnswersOfRedis
{
    /// <summary>Redis has done what was asked, and the worker does not hear of it: it asks again.</summary>
    [Fact]
    public async Task A_worker_repeats_every_call_whose_answer_is_lost_and_pays_nothing_twice()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 50, lease: 6);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        var worker = fleet.StartWorker(8, proxy);
        var rows = await fleet.FeedAsync(
            async () =>
            {
                await proxy.LoseAnswerAsync("claim", least: 200);
                foreach (var verb in (string[])["statuses", "put", "complete", "bury", "renew", "reclaim", "held"])
                {
                    // A claim has to be lost before what it held is asked for.
                    if (verb == "held")
                        await proxy.LoseAnswerAsync("claim", least: 200);
                    await proxy.LoseAnswerAsync(verb);
                }
            },
            fails: 5);

        await History.CheckAsync(fleet, rows, paidTwice: 0, failed: rows / 5);
        // What a lost claim had taken was held from the first moment on, and no job had to wait for a lease to end.
        Assert.DoesNotContain("wait again", worker.Said);
    }

    [Fact]
    public async Task Enqueue_repeats_itself_and_every_row_is_there_once()
    {
        await using var fleet = await TestFleet.StartAsync();
        await using var proxy = new TcpProxy(fleet.Server.Port);
        await using var redis = await Stores.ConnectAsync(proxy.Address);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        await queue.EnqueueAsync([fleet.Row(1)]);

        var lost = proxy.LoseAnswerAsync("enqueue");
        var outcomes = await queue.EnqueueAsync([.. Enumerable.Range(1, 50).Select(row => fleet.Row(row))]);
        await lost;
        fleet.StartWorker(16);

        Assert.All(outcomes, outcome => Assert.Equal(EnqueueOutcome.AlreadyThere, outcome));
        await History.CheckAsync(fleet, 50, paidTwice: 0);
        var again = proxy.LoseAnswerAsync("enqueue");
        Assert.All(await queue.EnqueueAsync([fleet.Row(1), fleet.Row(50)]), outcome => Assert.Equal(EnqueueOutcome.Ended, outcome));
        await again;
        await History.CheckAsync(fleet, 50, paidTwice: 0);
    }

    public static TheoryData<string> Requests => ["cancel", "stop", "pause", "purge"];

    [Theory, MemberData(nameof(Requests))]
    public async Task What_somebody_asks_for_is_safe_to_repeat(string verb)
    {
        await using var proxy = new TcpProxy((await RedisServer.SharedAsync()).Port);
        await using var redis = await Stores.ConnectAsync(proxy.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 3);
        await queue.EnqueueAsync(queue.Row(4) with { Delay = TimeSpan.FromHours(1) });
        await queue.BuryAsync(await queue.ClaimOneAsync());

        var lost = proxy.LoseAnswerAsync(verb);
        await RedisRetry.UntilAnsweredAsync<object>(
            async () =>
            {
                if (verb == "cancel")
                    return await queue.Queue.CancelAsync(queue.Name, [queue.Row(2).Id, queue.Row(4).Id]);
                if (verb == "pause")
                    return await queue.Queue.PauseAsync(queue.Name);
                if (verb == "purge")
                    return await queue.Queue.PurgeDeadAsync(queue.Name, null, null);
                await queue.Queue.Batches.CancelAsync(queue.Batch);
                return true;
            },
            TimeProvider.System);
        await lost;

        await OnePlace.AssertAsync(queue);
        Assert.Equal(new BatchProgress(4, 0, 1, 0), await queue.ProgressAsync());
        var stats = await queue.StatsAsync();
        Assert.Equal((verb == "pause", verb == "purge" ? 0 : 1), (stats.Paused, (int)stats.Dead));
        await queue.Queue.ResumeAsync(queue.Name);
        bool[] asked = verb switch { "cancel" => [true, true, false], "stop" => [true, true, true], _ => [false, false] };
        Assert.Equal(asked, (await queue.ClaimAsync()).OrderByDescending(job => job.CancelAsked).Select(job => job.CancelAsked));
    }

    public static TheoryData<string> Verbs => ["complete", "bury", "retry", "release", "redrive", "reclaim", "sweep"];

    [Theory, MemberData(nameof(Verbs))]
    public async Task Each_verb_of_a_partition_is_safe_to_repeat(string verb)
    {
        await using var proxy = new TcpProxy((await RedisServer.SharedAsync()).Port);
        await using var redis = await Stores.ConnectAsync(proxy.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 3);
        var job = await queue.ClaimOneAsync();
        if (verb == "redrive")
            await queue.BuryAsync(job);
        if (verb == "reclaim")
            await queue.ExpireAsync(job);
        if (verb == "sweep")
            await queue.Queue.CancelAsync(queue.Name, [queue.Row(2).Id]);

        var lost = proxy.LoseAnswerAsync(verb);
        var token = queue.NewToken();
        await RedisRetry.UntilAnsweredAsync<object>(
            async repeated => verb switch
            {
                "sweep" => Assert.Single((await queue.Partition.SweepAsync(token, TestQueue.Worker, (int)Lane.Normal, 0, repeated)).Claimed.Jobs),
                "complete" => await queue.CompleteAsync(job),
                "bury" => await queue.BuryAsync(job),
                "retry" => await queue.RetryAsync(job, 1, TimeSpan.Zero),
                "release" => await queue.ReleaseAsync(job),
                "redrive" => await queue.RedriveAsync(job.Job),
                _ => await queue.ReclaimAsync(),
            },
            TimeProvider.System);
        await lost;

        await OnePlace.AssertAsync(queue);
        var expected = verb switch { "complete" => (2, 0, 1), "bury" => (2, 1, 1), "sweep" => (1, 0, 0), _ => (3, 0, 0) };
        var stats = await queue.StatsAsync();
        Assert.Equal(expected, ((int)stats.Waiting, (int)stats.Dead, (int)(await queue.ProgressAsync()).Ended));
        Assert.Equal(verb == "sweep" ? 2 : 0, stats.Inflight);
    }
}
