namespace LlmPipeline;

public sealed class WakingUp
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory, ClassData(typeof(Stores))]
    public async Task Every_way_for_a_job_to_become_claimable_wakes_a_sleeper(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        await WakesAsync(wakeUps, () => queue.EnqueueRowsAsync(1, 3));
        var jobs = await queue.ClaimAsync();
        await WakesAsync(wakeUps, () => queue.RetryAsync(jobs[0], 1, TimeSpan.FromHours(2)));
        await WakesAsync(wakeUps, () => queue.RetryAsync(jobs[1], 1, TimeSpan.FromHours(1)));
        await WakesAsync(wakeUps, () => queue.RetryAsync(jobs[2], 1, TimeSpan.Zero));
        await WakesAsync(wakeUps, async () => await queue.ReleaseAsync(await queue.ClaimOneAsync()));
        var job = await queue.ClaimOneAsync();
        await queue.ExpireAsync(job);
        await WakesAsync(wakeUps, queue.ReclaimAsync);
        await queue.BuryAsync(await queue.ClaimOneAsync());
        await WakesAsync(wakeUps, () => queue.RedriveAsync(job.Job));
        await queue.ClaimOneAsync();
        await WakesAsync(wakeUps, () => queue.EnqueueAsync(queue.Row(9) with { Delay = TimeSpan.FromMinutes(1) }));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_few_new_jobs_are_named_to_a_sleeper_before_it_is_woken(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var named = new List<(QueuePartition Partition, string[] Ids)>();
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions, named: (partition, ids) => named.Add((partition, ids)));
        await WakesAsync(wakeUps, () => queue.EnqueueAsync(queue.Single("one"), queue.Single("two")));
        Assert.Equal((queue.Partition, "one two"), (Assert.Single(named).Partition, string.Join(' ', named[0].Ids)));
        await queue.ClaimAsync();
        await WakesAsync(wakeUps, () => queue.EnqueueRowsAsync(1, 9));
        Assert.Single(named);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Nobody_is_woken_for_what_changes_nothing_for_a_sleeper(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        await queue.RetryAsync(await queue.ClaimOneAsync(), 1, TimeSpan.FromMinutes(1));
        var channel = queue.Redis.Channel(queue.Partition.Wake);
        var heard = new List<string>();
        var end = new TaskCompletionSource();
        var subscription = await queue.Redis.Subscriber.SubscribeAsync(channel);
        subscription.OnMessage(message =>
        {
            heard.Add((string)message.Message!);
            if (message.Message == "end")
                end.SetResult();
        });
        await queue.EnqueueRowsAsync(3, 9);
        await queue.EnqueueAsync(queue.Row(10) with { Delay = TimeSpan.FromHours(1) });
        await queue.RetryAsync(await queue.ClaimOneAsync(), 1, TimeSpan.FromHours(2));
        await queue.ReclaimAsync();
        // Messages of one channel keep their order: when this one has come, all before it have.
        await queue.Redis.Subscriber.PublishAsync(channel, "end");
        await end.Task.WaitAsync(Patience);
        Assert.Equal(["end"], heard);
        await subscription.UnsubscribeAsync();
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task No_wake_up_is_lost_over_two_thousand_rounds(Store store)
    {
        const int Rounds = 2000;
        var queue = await TestQueue.CreateAsync(store);
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        using var claimed = new SemaphoreSlim(0);
        var worker = Task.Run(async () =>
        {
            for (var got = 0; got < Rounds;)
            {
                var seen = wakeUps.Signal.Version;
                var jobs = await queue.ClaimAsync(1);
                if (jobs.Count == 0)
                {
                    Assert.True(await wakeUps.Signal.WaitAsync(seen, Patience, TimeProvider.System, CancellationToken.None), $"asleep in round {got + 1}");
                    continue;
                }

                got++;
                claimed.Release();
            }
        });
        for (var round = 1; round <= Rounds; round++)
        {
            await queue.EnqueueAsync(queue.Single($"{round}"));
            // Now and then there is no pause, so that enqueue, claim and falling asleep meet in every order.
            if (round % 3 != 0)
                await Task.WhenAny(claimed.WaitAsync(), worker);
        }

        await worker;
    }

    [Fact]
    public async Task A_connection_that_is_back_wakes_a_sleeper()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await using var wakeUps = await WakeUps.ListenAsync(redis, queue.Partitions);
        await server.KillAsync();
        await server.RestartAsync();
        Assert.True(await wakeUps.Signal.WaitAsync(0, Patience, TimeProvider.System, CancellationToken.None));
        await Eventually.HoldsAsync(
            async () =>
            {
                // The subscription stands again, too.
                var seen = wakeUps.Signal.Version;
                await queue.EnqueueAsync(queue.Single(Guid.NewGuid().ToString()));
                await queue.ClaimAsync();
                return await wakeUps.Signal.WaitAsync(seen, TimeSpan.FromSeconds(0.2), TimeProvider.System, CancellationToken.None);
            },
            "an enqueue wakes");
    }

    private static async Task WakesAsync(WakeUps wakeUps, Func<Task> act)
    {
        var seen = wakeUps.Signal.Version;
        await act();
        Assert.True(await wakeUps.Signal.WaitAsync(seen, Patience, TimeProvider.System, CancellationToken.None));
    }
}
