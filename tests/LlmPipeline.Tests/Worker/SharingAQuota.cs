using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary>The account of a fleet in Redis.</summary>
public sealed class SharingAQuota
{
    private static readonly QuotaAmount Limits = new(6000, 6000);

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task A_block_is_a_tenth_of_a_second_and_what_one_worker_takes_another_does_not_get(Store store)
    {
        var (one, two) = await PairAsync(store);
        var limits = new QuotaAmount(6000, 0);
        var first = await one.ExchangeAsync(null, Ask(limits, [.. Enumerable.Repeat((0, 0), 100)]));
        // Ten saved up, and the one that finds the pace at zero; a slow machine may see a hundredth of a second pass.
        Assert.InRange(first.Granted, 1, 40);
        Assert.True(first.Wait > TimeSpan.Zero);
        var second = await two.ExchangeAsync(null, Ask(limits, [.. Enumerable.Repeat((0, 0), 100)]));
        Assert.InRange(second.Used.Requests, first.Used.Requests + second.Granted - 100, 6000);
        Assert.True(second.Granted < 100);
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task Both_ledgers_answer_the_same_question_alike(Store store)
    {
        var (fleet, _) = await PairAsync(store);
        var memory = new MemoryLedger(new FakeTimeProvider());
        foreach (var ask in (QuotaAsk[])[Ask(Limits, (300, 200), (300, 200)), Ask(Limits, (5000, 5)), Ask(default, (5, 5), (5, 5)), Ask(Limits with { Tokens = 100 }, (500, 1))])
        {
            var (here, there) = (await memory.ExchangeAsync(null, ask), await fleet.ExchangeAsync(null, ask));
            Assert.Equal(here.Granted, there.Granted);
            // What others took leaves with the time that the calls take.
            Assert.InRange(there.Used.Requests, here.Used.Requests - 500, here.Used.Requests);
            Assert.InRange(there.Used.Tokens, here.Used.Tokens - 500, here.Used.Tokens);
            Assert.Equal(here.Wait > TimeSpan.Zero, there.Wait > TimeSpan.Zero);
        }
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task What_is_settled_with_less_is_there_for_the_others(Store store)
    {
        var (one, two) = await PairAsync(store);
        var limits = new QuotaAmount(0, 600_000);
        var granted = await one.ExchangeAsync(null, Ask(limits, (500_000, 10)));
        Assert.Equal(1, granted.Granted);
        Assert.Equal(0, (await two.ExchangeAsync(null, Ask(limits, (300_000, 10)))).Granted);
        await one.ExchangeAsync(new LedgerUpdate { Settlements = [new(granted.Slot, 0, -499_990, 0)] }, Ask(limits));
        await Eventually.HoldsAsync(async () => (await two.ExchangeAsync(null, Ask(limits, (300_000, 10)))).Granted == 1, "the other worker's call passes", TimeSpan.FromSeconds(30));
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task What_one_worker_learns_all_know(Store store)
    {
        var (one, two) = await PairAsync(store);
        Assert.Equal(2, (await two.ExchangeAsync(null, Ask(default, (5, 5), (5, 5)))).Granted);
        await one.ExchangeAsync(new LedgerUpdate { LearnedRequests = 500, LearnedTokens = 40_000, Guessed = true }, Ask(default));
        var heard = await two.ExchangeAsync(null, Ask(default));
        Assert.Equal((new QuotaAmount(500, 40_000), true), (heard.Learned, heard.Guessed));
        await one.ExchangeAsync(new LedgerUpdate { LearnedTokens = 50_000 }, Ask(default));
        heard = await two.ExchangeAsync(null, Ask(default));
        Assert.Equal((new QuotaAmount(500, 50_000), true), (heard.Learned, heard.Guessed));
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task A_closed_gate_is_closed_for_all_and_a_burst_of_refusals_cuts_once(Store store)
    {
        var (one, two) = await PairAsync(store);
        await one.ExchangeAsync(new LedgerUpdate { Gate = TimeSpan.FromSeconds(60), Failed = 0.7 }, Ask(Limits));
        await two.ExchangeAsync(new LedgerUpdate { Gate = TimeSpan.FromSeconds(30), Failed = 0.5 }, Ask(Limits));
        var heard = await two.ExchangeAsync(null, Ask(Limits, (1, 1)));
        Assert.Equal((0, 0.7), (heard.Granted, heard.Failed));
        Assert.InRange(heard.Gate.TotalSeconds, 31, 60);
        Assert.Equal(heard.Gate, heard.Wait);
        Assert.NotNull(heard.SinceCut);
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task A_call_that_waits_for_room_in_the_minute_has_its_turn_before_smaller_ones_of_other_workers(Store store)
    {
        var (one, two) = await PairAsync(store);
        var limits = new QuotaAmount(0, 600_000);
        Assert.Equal(1, (await one.ExchangeAsync(null, Ask(limits, (599_000, 1)))).Granted);
        Assert.Equal(0, (await one.ExchangeAsync(null, Ask(limits, (300_000, 1)))).Granted);
        var small = await two.ExchangeAsync(null, Ask(limits, (1, 1)));
        Assert.Equal(0, small.Granted);
        Assert.InRange(small.Wait.TotalMilliseconds, 50, 1000);
        // A worker that died in its turn loses it.
        await Eventually.HoldsAsync(async () => (await two.ExchangeAsync(null, Ask(limits, (1, 1)))).Granted == 1, "the small call passes", TimeSpan.FromSeconds(30));
    }

    [Theory, Trait("Category", "Slow")]
    [ClassData(typeof(Stores))]
    public async Task Workers_know_of_each_other_and_of_the_calls_that_wait(Store store)
    {
        var (one, two) = await PairAsync(store);
        await one.ExchangeAsync(null, Ask(Limits) with { Waiting = 7 });
        var heard = await two.ExchangeAsync(null, Ask(Limits));
        Assert.Equal((1, 7), (heard.OtherWorkers, heard.WaitingElsewhere));
        await Eventually.HoldsAsync(async () => (await two.ExchangeAsync(null, Ask(Limits))).OtherWorkers == 0, "a silent worker is forgotten", TimeSpan.FromSeconds(60));
    }

    [Fact, Trait("Category", "Slow")]
    public async Task While_the_fleets_quota_is_away_calls_wait_and_nothing_bursts_and_then_they_go_on()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var log = new LogLines();
        await using var limiter = new RequestTokenLimiter(
            new RedisLedger(() => redis, Stores.NewName("deployment")), new QuotaAmount(6000, 0), TimeSpan.FromSeconds(5), TimeProvider.System, log);
        Assert.True((await limiter.AcquireAsync(default, default)).IsAcquired);
        await server.KillAsync();
        using var cancel = new CancellationTokenSource();
        var cancelled = limiter.AcquireAsync(default, cancel.Token).AsTask();
        var waiting = Enumerable.Range(0, 50).Select(_ => limiter.AcquireAsync(default, default).AsTask()).ToList();
        await Eventually.HoldsAsync(() => Task.FromResult(log.All.Count == 1), "it has said that it is away", TimeSpan.FromSeconds(30));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.DoesNotContain(waiting, task => task.IsCompleted);
        await server.RestartAsync();
        Assert.All(await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(60)), lease => Assert.True(lease.IsAcquired));
        Assert.Equal(2, log.All.Count);
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task Calls_at_once_are_the_fleets_and_each_worker_has_its_part(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        await using var one = Permits(redis, name, 4);
        await using var two = Permits(redis, name, 4);
        var (now, most, done) = (0, 0, new ConcurrentDictionary<FleetPermits, int>());
        await Task.WhenAll(Enumerable.Range(0, 40).Select(n => CallAsync(n % 2 == 0 ? one : two))).WaitAsync(TimeSpan.FromSeconds(120));
        Assert.InRange(most, 2, 4);
        Assert.Equal((20, 20), (done[one], done[two]));

        async Task CallAsync(FleetPermits permits)
        {
            using var permit = await permits.AcquireAsync(1);
            InterlockedMax(ref most, Interlocked.Increment(ref now));
            await Task.Delay(20);
            Interlocked.Decrement(ref now);
            done.AddOrUpdate(permits, 1, static (_, n) => n + 1);
        }
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task The_permits_of_a_worker_that_died_come_back(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        // It has taken all, and is never heard of again.
        var dead = RedisScript.Load(typeof(RedisLedger).Assembly, "permits");
        Assert.Equal("2 0", (string?)await dead.RunAsync(redis.Database, [RedisLedger.KeyOf(name) + ":permits"], ["dead", 2, 2, 2, 1500]));
        await using var alive = Permits(redis, name, 2);
        var waiting = alive.AcquireAsync(1).AsTask();
        Assert.True((await waiting.WaitAsync(TimeSpan.FromSeconds(60))).IsAcquired);
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task Thousands_of_calls_at_once_are_reached_in_a_few_exchanges_and_what_is_given_back_is_there_for_the_others(Store store)
    {
        const int Limit = 5000;
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        var (one, exchanges) = await AllAsync();
        Assert.InRange(exchanges, 1, 30);
        await one.DisposeAsync();
        (var two, exchanges) = await AllAsync();
        Assert.InRange(exchanges, 1, 30);
        await two.DisposeAsync();

        // Claims as a worker does: as many as there is room for, whenever there may be.
        async Task<(FleetPermits, int Exchanges)> AllAsync()
        {
            var exchanges = 0;
            var exchanged = new SemaphoreSlim(0);
            var permits = Permits(redis, name, Limit, () => exchanged.Release());
            var calls = new List<Task>();
            while (calls.Count < Limit)
            {
                var statistics = permits.GetStatistics()!;
                var room = Math.Min(Limit - calls.Count, statistics.CurrentAvailablePermits - statistics.CurrentQueuedCount);
                for (var n = 0; n < room; n++)
                    calls.Add(permits.AcquireAsync(1).AsTask());
                Assert.True(await exchanged.WaitAsync(TimeSpan.FromSeconds(60)));
                exchanges++;
            }

            await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(60));
            return (permits, exchanges);
        }
    }

    private static void InterlockedMax(ref int most, int now)
    {
        int seen;
        while ((seen = Volatile.Read(ref most)) < now && Interlocked.CompareExchange(ref most, now, seen) != seen)
        {
            // Somebody else was faster.
        }
    }

    private static FleetPermits Permits(RedisConnections redis, string name, int limit, Action? onRoom = null) =>
        new(() => redis, name, limit, onRoom ?? (static () => { }), TimeProvider.System, NullLogger.Instance);

    internal static QuotaAsk Ask(QuotaAmount limits, params (int, int)[] calls) => new(limits, QuotaAsk.Unknown, calls.Length, calls);

    private static async Task<(RedisLedger One, RedisLedger Two)> PairAsync(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        return (new RedisLedger(() => redis, name), new RedisLedger(() => redis, name));
    }
}
