using Xunit.Abstractions;

namespace LlmPipeline;

/// <summary>
/// The clock of Redis is stepped while jobs, leases and quota are in use: an NTP correction, a virtual machine that was resumed, a replica with another
/// clock that takes over. See clock.lua and reserve.lua.
/// </summary>
public sealed class SteppingClocks(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Other = "worker-2";
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private SteppedClock _clock = null!;
    private RedisServer _server = null!;
    private RedisConnections _redis = null!;

    public async Task InitializeAsync()
    {
        _clock = await SteppedClock.CreateAsync(Hour);
        _server = await RedisServer.StartAsync(() => [], _clock);
        _redis = await Stores.ConnectAsync(_server.Address);
    }

    public async Task DisposeAsync()
    {
        await _redis.DisposeAsync();
        await _server.DisposeAsync();
        _clock.Dispose();
    }

    [Fact]
    public async Task A_lease_ends_in_its_time_when_the_clock_steps_back()
    {
        var queue = await QueueAsync(lease: 2, workerTimeout: 3600);
        await queue.EnqueueRowsAsync(1, 2);
        var claimed = await queue.ClaimAsync();
        await queue.ReclaimAsync();
        StepBack();

        Assert.True(await queue.RenewAsync(claimed[0]));
        await ReclaimedAsync(queue, 2);
        Assert.Equal([1, 2], (await queue.ClaimAsync(worker: Other)).Select(job => job.Job.Row).Order());
        Assert.False(await queue.RenewAsync(claimed[0]));
    }

    [Fact]
    public async Task A_worker_that_died_counts_as_gone_when_the_clock_steps_back()
    {
        var queue = await QueueAsync(lease: 3600, workerTimeout: 1);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ClaimAsync();
        await queue.ReclaimAsync();
        StepBack();

        await ReclaimedAsync(queue, 1);
    }

    [Fact]
    public async Task A_delayed_job_is_due_in_its_time_when_the_clock_steps_back()
    {
        var queue = await QueueAsync();
        await queue.EnqueueAsync(queue.Row(1) with { Delay = TimeSpan.FromSeconds(2) });
        await queue.EnqueueRowsAsync(2, 2);
        var retried = await queue.ClaimOneAsync();
        await queue.RetryAsync(retried, 1, TimeSpan.FromSeconds(2));
        await queue.ReclaimAsync();
        StepBack();
        await queue.EnqueueAsync(queue.Row(3) with { Delay = TimeSpan.FromSeconds(2) });

        var rows = new List<int>();
        await Eventually.HoldsAsync(
            async () =>
            {
                // As every worker does.
                await queue.ReclaimAsync();
                rows.AddRange((await queue.ClaimAsync()).Select(job => job.Job.Row));
                return rows.Count == 3;
            },
            "all are due", Patience);
        Assert.Equal([1, 2, 3], rows.Order());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_clock_that_is_ahead_for_a_moment_delays_nothing_until_then(bool isRetried)
    {
        var queue = await QueueAsync();
        _clock.Set(TimeSpan.Zero);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ReclaimAsync();
        var claimed = await queue.ClaimOneAsync();
        _clock.Set(Hour);
        if (isRetried)
            await queue.RetryAsync(claimed, 1, TimeSpan.FromSeconds(2));
        else
            await queue.EnqueueAsync(queue.Row(2) with { Delay = TimeSpan.FromSeconds(2) });
        StepBack();

        await Eventually.HoldsAsync(
            async () =>
            {
                await queue.ReclaimAsync();
                return (await queue.ClaimAsync()).Count > 0;
            },
            "it is due", Patience);
    }

    [Theory, InlineData(1), InlineData(2)]
    public async Task Dead_letters_are_dropped_when_the_clock_steps_back(int hoursAhead)
    {
        var queue = await QueueAsync();
        await queue.EnqueueRowsAsync(1, 3);
        var claimed = await queue.ClaimAsync();
        await queue.ReclaimAsync();
        _clock.Set(hoursAhead * Hour);
        foreach (var job in claimed)
            await queue.BuryAsync(job);
        StepBack();

        Assert.Equal(1, await queue.Queue.PurgeDeadAsync(queue.Name, [claimed[0].Job.Id], null));
        Assert.Equal(0, await queue.Queue.PurgeDeadAsync(queue.Name, null, Hour));
        await Eventually.HoldsAsync(
            async () =>
            {
                // As every worker does.
                await queue.ReclaimAsync();
                return await queue.Queue.PurgeDeadAsync(queue.Name, [claimed[1].Job.Id], TimeSpan.FromSeconds(1)) == 1;
            },
            "it is old enough", Patience);
        Assert.Equal(1, await queue.Queue.PurgeDeadAsync(queue.Name, null, null));
    }

    [Fact]
    public async Task A_deadline_goes_by_the_clock_itself()
    {
        var queue = await QueueAsync();
        await queue.ReclaimAsync();
        StepBack();
        var now = TimeProvider.System.GetUtcNow();
        await queue.EnqueueAsync(queue.Row(1) with { Deadline = now.AddMinutes(5) });

        Assert.Empty((await queue.Partition.SweepAsync("token", TestQueue.Worker, 1, 0, repeated: false)).Claimed.Jobs);
        var claimed = await queue.ClaimAllAsync();
        Assert.InRange((claimed.At - now).Duration(), TimeSpan.Zero, Patience);
    }

    [Fact]
    public async Task A_step_back_is_told_once_and_little_is_written_for_it()
    {
        var queue = await QueueAsync();
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ReclaimAsync();
        var seen = await SeenAsync(queue);
        for (var n = 0; n < 10; n++)
            Assert.Equal(TimeSpan.Zero, (await ReclaimAsync(queue)).SteppedBack);
        Assert.Equal(seen, await SeenAsync(queue));
        StepBack();

        Assert.InRange((await ReclaimAsync(queue)).SteppedBack, Hour - Patience, Hour);
        Assert.Equal(TimeSpan.Zero, (await ReclaimAsync(queue)).SteppedBack);
        // Once more: it is told again.
        _clock.Set(-Hour);
        Assert.InRange((await ReclaimAsync(queue)).SteppedBack, Hour - Patience, Hour);
    }

    [Fact]
    public async Task Leases_of_workers_that_are_alive_outlive_a_step_ahead()
    {
        var gap = TimeSpan.FromSeconds(5);
        var queue = await QueueAsync(lease: 10, workerTimeout: 5);
        await queue.EnqueueRowsAsync(1, 3);
        var claimed = await queue.ClaimAsync();
        var before = await queue.Partition.ReclaimAsync(DateTimeOffset.UnixEpoch, gap, CancellationToken.None);
        _clock.Set(Hour + Hour);

        var after = await queue.Partition.ReclaimAsync(before.Time, gap, CancellationToken.None);
        Assert.Equal((0, true), (after.Returned, after.Away));
        foreach (var job in claimed)
            Assert.True(await queue.RenewAsync(job));
        after = await queue.Partition.ReclaimAsync(after.Time, gap, CancellationToken.None);
        Assert.Equal((0, false), (after.Returned, after.Away));
    }

    [Fact]
    public async Task A_replica_whose_clock_is_behind_takes_leases_and_delays_over()
    {
        await using var replica = await RedisServer.StartAsync("--replicaof", "127.0.0.1", $"{_server.Port}");
        var queue = await QueueAsync(lease: 2);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ClaimAsync();
        await queue.EnqueueAsync(queue.Row(2) with { Delay = TimeSpan.FromSeconds(2) });
        await queue.ReclaimAsync();
        await Eventually.HoldsAsync(async () => (long)await _redis.Database.ExecuteAsync("WAIT", 1, 100) == 1, "the replica has it all", Patience);
        await _server.KillAsync();
        await RedisCluster.AskAsync(replica, "REPLICAOF", "NO", "ONE");
        await using var redis = await Stores.ConnectAsync(replica.Address);
        var partition = Assert.Single(await new PromptQueue(redis, queue.Options, TimeProvider.System).PartitionsAsync(queue.Name));

        await Eventually.HoldsAsync(async () => await partition.ReclaimAsync(CancellationToken.None) == 1, "the lease has ended", Patience);
        var rows = new List<int>();
        await Eventually.HoldsAsync(
            async () =>
            {
                await partition.ReclaimAsync(CancellationToken.None);
                rows.AddRange((await partition.ClaimAsync(10, queue.NewToken(), Other)).Jobs.Select(job => job.Job.Row));
                return rows.Count == 2;
            },
            "both are there", Patience);
    }

    [Theory, InlineData(1), InlineData(-1)]
    public async Task The_lock_of_a_batch_ends_in_its_time(int hours)
    {
        var queue = await QueueAsync();
        var queues = new PrivateQueues(_redis, queue.Options, TimeProvider.System);
        Assert.Null(await queues.LockAsync(queue.Batch, "one", TimeSpan.FromSeconds(2)));
        Assert.Equal(1, (int)await GatewayScripts.DriveBatch.RunAsync(_redis.Database, ["lease"], ["one", 2000]));
        _clock.Set(Hour + (hours * Hour));

        await Eventually.HoldsAsync(async () => await queues.LockAsync(queue.Batch, "two", TimeSpan.FromSeconds(2)) is null, "another run has it", Patience);
        await Eventually.HoldsAsync(async () => (int)await GatewayScripts.DriveBatch.RunAsync(_redis.Database, ["lease"], ["two", 2000]) == 1, "another driver has it", Patience);
    }

    [Fact]
    public async Task Gate_and_turn_of_a_quota_last_as_long_as_they_should_when_the_clock_steps_back()
    {
        var limits = new QuotaAmount(0, 600_000);
        var (one, two) = (Ledger("account"), Ledger("account"));
        var granted = await one.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits, (599_000, 1)));
        Assert.Equal(1, granted.Granted);
        // The first waits for room in the minute and has its turn.
        Assert.Equal(0, (await one.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits, (300_000, 1)))).Granted);
        var before = await one.ExchangeAsync(new LedgerUpdate { Gate = TimeSpan.FromSeconds(2) }, Tests.SharingAQuota.Ask(limits));
        Assert.Equal(TimeSpan.Zero, before.SteppedBack);
        StepBack();

        var after = await two.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits, (1, 1)));
        Assert.InRange(after.SteppedBack, Hour - Patience, Hour);
        Assert.InRange(after.Gate, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        // What was taken still counts, and is given back where it was taken.
        Assert.InRange(after.Used.Tokens, 599_000, 600_000);
        await one.ExchangeAsync(new LedgerUpdate { Settlements = [new(granted.Slot, 0, -500_000, 0)] }, Tests.SharingAQuota.Ask(limits));
        after = await two.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits));
        Assert.InRange(after.Used.Tokens, 99_000, 100_000);
        Assert.Equal(TimeSpan.Zero, after.SteppedBack);
        await Eventually.HoldsAsync(async () => (await two.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits, (1, 1)))).Granted == 1, "the other worker's call passes", Patience);
    }

    [Fact]
    public async Task A_step_ahead_of_a_quota_is_no_burst()
    {
        var limits = new QuotaAmount(6000, 0);
        var ledger = Ledger("ahead");
        await ledger.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits, [.. Enumerable.Repeat((0, 0), 100)]));
        _clock.Set(Hour + Hour);

        var after = await ledger.ExchangeAsync(null, Tests.SharingAQuota.Ask(limits, [.. Enumerable.Repeat((0, 0), 100)]));
        // A tenth of a second's worth, as ever.
        Assert.InRange(after.Granted, 1, 40);
    }

    [Theory, InlineData(1), InlineData(-1)]
    public async Task Calls_at_once_stay_within_their_number_and_come_back_from_a_worker_that_died(int hours)
    {
        Assert.StartsWith("1 ", await ShareAsync("dead", 1, 1), StringComparison.Ordinal);
        Assert.Equal("1 0", await ShareAsync("one", 1, 1));
        _clock.Set(Hour + (hours * Hour));

        Assert.StartsWith("0 ", await ShareAsync("two", 0, 1), StringComparison.Ordinal);
        Assert.Equal("1 0", await ShareAsync("one", 1, 1));
        Assert.StartsWith("0 ", await ShareAsync("two", 0, 1), StringComparison.Ordinal);
        await Eventually.HoldsAsync(async () => (await ShareAsync("two", 0, 2))!.StartsWith("2 ", StringComparison.Ordinal), "the calls of the one that died are free", Patience);
    }

    [Theory, InlineData(1), InlineData(-1), Trait("Category", "Slow")]
    public async Task A_fleet_goes_on_and_no_call_is_made_twice(int hours)
    {
        const int Concurrency = 4;
        const int Rows = 60;
        using var clock = await SteppedClock.CreateAsync(Hour);
        await using var fleet = await TestFleet.StartAsync(await RedisServer.StartAsync(() => [], clock), latency: 1000, lease: 6);
        var worker = fleet.StartWorker(Concurrency);
        await fleet.EnqueueAsync(1, Rows);
        await fleet.PaidAsync(Concurrency);
        clock.Set(Hour + (hours * Hour));
        await fleet.PaidAsync(Rows / 2);
        Assert.DoesNotContain("wait again", worker.Said, StringComparison.Ordinal);
        Assert.Equal(0, fleet.Llm.Stats.PaidTwice);
        // What the other of the steps needs too: jobs of a worker that dies now are another's soon.
        worker.Kill();
        var other = fleet.StartWorker(Concurrency);

        await History.CheckAsync(fleet, Rows, paidTwice: Concurrency);
        Assert.InRange(fleet.Llm.Stats.Calls, Rows, Rows + Concurrency);
        if (hours < 0)
            Assert.Contains("has stepped back", worker.Said + other.Said, StringComparison.Ordinal);
    }

    [Fact, Trait("Category", "Full")]
    public async Task Random_steps_under_load_and_a_quota_never_stop_the_calls()
    {
        var longest = TimeSpan.FromSeconds(5);
        using var clock = await SteppedClock.CreateAsync(Hour);
        await using var fleet = await TestFleet.StartAsync(await RedisServer.StartAsync(() => [], clock), latency: 100, lease: 6);
        fleet.Llm.SetLimits(6000, null);
        for (var n = 0; n < 2; n++)
            fleet.StartWorker(concurrency: 8);
        var (steps, gap) = (0, TimeSpan.Zero);
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(100);
            var random = new Random(17);
            var (seen, since) = (fleet.Llm.Stats.Completed, TimeProvider.System.GetTimestamp());
            for (var end = TimeProvider.System.GetUtcNow().AddMinutes(2); TimeProvider.System.GetUtcNow() < end; steps++)
            {
                clock.Set(Hour * random.Next(0, 3));
                for (var wait = random.Next(100, 6000); wait > 0; wait -= 50)
                {
                    await Task.Delay(50);
                    var now = fleet.Llm.Stats.Completed;
                    var stood = TimeProvider.System.GetElapsedTime(since);
                    gap = stood > gap ? stood : gap;
                    if (now > seen)
                        (seen, since) = (now, TimeProvider.System.GetTimestamp());
                }
            }
        });

        output.WriteLine($"{rows} rows, {steps} steps, the longest time without an answer is {gap.TotalSeconds:0.00} s");
        Assert.InRange(gap, TimeSpan.Zero, longest);
        await History.CheckAsync(fleet, rows, paidTwice: 0);
    }

    private void StepBack() => _clock.Set(TimeSpan.Zero);

    private Task<TestQueue> QueueAsync(double lease = 30, double workerTimeout = 60) => TestQueue.CreateAsync(_redis, options =>
        (options.Partitions, options.Lease, options.WorkerTimeout) = (1, TimeSpan.FromSeconds(lease), TimeSpan.FromSeconds(workerTimeout)));

    private RedisLedger Ledger(string account) => new(() => _redis, account);

    private async Task<string?> ShareAsync(string worker, int running, int wanted) => (string?)await RedisScript.Load(typeof(RedisLedger).Assembly, "permits").RunAsync(
        _redis.Database, ["permits"], [worker, running, wanted, 2, 4000]);

    private static Task<ReclaimAnswer> ReclaimAsync(TestQueue queue) => queue.Partition.ReclaimAsync(null, TimeSpan.Zero, CancellationToken.None);

    private static async Task<long> SeenAsync(TestQueue queue) => (long)await queue.Database.HashGetAsync(queue.Keys.Meta, "seen");

    private static async Task ReclaimedAsync(TestQueue queue, int jobs)
    {
        var returned = 0;
        await Eventually.HoldsAsync(async () => (returned += await queue.ReclaimAsync()) == jobs, $"{jobs} jobs wait again", Patience);
    }
}
