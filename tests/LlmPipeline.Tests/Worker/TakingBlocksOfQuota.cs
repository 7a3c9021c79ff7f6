using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary>When a worker asks the fleet's account, by a clock that stands still unless it is moved.</summary>
public sealed class TakingBlocksOfQuota
{
    [Theory]
    [ClassData(typeof(Stores))]
    public async Task More_calls_than_one_exchange_takes_do_not_wait_for_the_next_block(Store store)
    {
        var limits = new QuotaAmount(60_000_000, 0);
        var (limiter, other, time) = await StartAsync(store, limits);
        await using var ended = limiter;
        Assert.True((await limiter.AcquireAsync(default, default)).IsAcquired);
        await Eventually.HoldsAsync(async () => (await other.ExchangeAsync(null, SharingAQuota.Ask(limits))).Level.Requests > 1000, "a thousand are saved up", TimeSpan.FromSeconds(30));
        var calls = Enumerable.Range(0, 1000).Select(_ => limiter.AcquireAsync(default, default).AsTask()).ToArray();
        Assert.DoesNotContain(calls, call => call.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(50));
        Assert.All(await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(60)), lease => Assert.True(lease.IsAcquired));
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task Where_the_fleet_knows_no_limit_calls_do_not_wait_for_their_exchange_and_are_told_of_with_the_next(Store store)
    {
        var (limiter, other, time) = await StartAsync(store);
        await using var ended = limiter;
        // More than one exchange takes, while the first is on its way; then some that need none.
        var calls = Enumerable.Range(0, 300).Select(_ => limiter.AcquireAsync(new TokenEstimate(20, 10, 10), default).AsTask()).ToArray();
        await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(60));
        var unasked = Enumerable.Range(0, 200).Select(_ => limiter.AcquireAsync(new TokenEstimate(20, 10, 10), default).AsTask()).ToArray();
        Assert.All(unasked, call => Assert.True(call.IsCompletedSuccessfully));
        (await unasked[0]).Settle(5);
        (await unasked[1]).GiveBack();
        time.Advance(TimeSpan.FromMilliseconds(50));
        await Eventually.HoldsAsync(
            async () => (await other.ExchangeAsync(null, SharingAQuota.Ask(default))).Used == new QuotaAmount(499, (499 * 30) - 25), "all are in the account", TimeSpan.FromSeconds(30));
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task What_is_heard_of_a_limit_ends_the_passing_unasked(Store store)
    {
        var (limiter, other, time) = await StartAsync(store);
        await using var ended = limiter;
        Assert.True((await limiter.AcquireAsync(default, default)).IsAcquired);
        // By another worker: known within a block.
        await other.ExchangeAsync(new LedgerUpdate { LearnedRequests = 60 }, SharingAQuota.Ask(new QuotaAmount(60, 0)));
        Assert.True(limiter.AcquireAsync(default, default).IsCompletedSuccessfully);
        time.Advance(TimeSpan.FromMilliseconds(50));
        await Eventually.HoldsAsync(() => Task.FromResult(limiter.Limits.Requests == 60), "the limit is known", TimeSpan.FromSeconds(30));
        Assert.False(limiter.AcquireAsync(default, default).IsCompleted);
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task A_gate_that_another_worker_closed_ends_the_passing_unasked(Store store)
    {
        var (limiter, other, time) = await StartAsync(store);
        await using var ended = limiter;
        Assert.True((await limiter.AcquireAsync(default, default)).IsAcquired);
        await other.ExchangeAsync(new LedgerUpdate { Gate = TimeSpan.FromSeconds(4) }, SharingAQuota.Ask(default));
        Assert.True(limiter.AcquireAsync(default, default).IsCompletedSuccessfully);
        time.Advance(TimeSpan.FromMilliseconds(50));
        await Eventually.HoldsAsync(() => Task.FromResult(limiter.ClosedFor > TimeSpan.Zero), "the gate is known", TimeSpan.FromSeconds(30));
        Assert.False(limiter.AcquireAsync(default, default).IsCompleted);
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task The_turn_of_another_worker_that_knows_of_limits_ends_the_passing_unasked(Store store)
    {
        var (limiter, other, time) = await StartAsync(store);
        await using var ended = limiter;
        Assert.True((await limiter.AcquireAsync(default, default)).IsAcquired);
        var limits = new QuotaAmount(0, 600_000);
        await other.ExchangeAsync(null, SharingAQuota.Ask(limits, (599_000, 1)));
        Assert.Equal(0, (await other.ExchangeAsync(null, SharingAQuota.Ask(limits, (300_000, 1)))).Granted);
        Assert.True(limiter.AcquireAsync(default, default).IsCompletedSuccessfully);
        time.Advance(TimeSpan.FromMilliseconds(50));
        await Eventually.HoldsAsync(async () => (await StillWaitsAsync()).Used.Requests == 3, "the exchange is made", TimeSpan.FromSeconds(30));
        var waiting = limiter.AcquireAsync(default, default).AsTask();
        await Eventually.HoldsAsync(
            async () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(50));
                return (await StillWaitsAsync()).WaitingElsewhere == 1;
            },
            "the next exchange tells of a call that waits", TimeSpan.FromSeconds(30));
        Assert.False(waiting.IsCompleted);

        ValueTask<QuotaAnswer> StillWaitsAsync() => other.ExchangeAsync(null, SharingAQuota.Ask(limits, (300_000, 1)));
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task What_a_worker_has_heard_itself_and_not_told_yet_ends_the_passing_unasked(Store store)
    {
        var (limiter, _, _) = await StartAsync(store);
        await using var ended = limiter;
        var sent = await limiter.AcquireAsync(default, default);
        Assert.True(limiter.AcquireAsync(default, default).IsCompletedSuccessfully);
        limiter.Refuse(sent.Number, new RateLimitHeaders(), TimeSpan.FromSeconds(4));
        Assert.False(limiter.AcquireAsync(default, default).IsCompleted);
    }

    // A worker's limiter, the ledger of another worker of its deployment, and the limiter's clock.
    private static async Task<(RequestTokenLimiter Limiter, RedisLedger Other, FakeTimeProvider Time)> StartAsync(Store store, QuotaAmount limits = default)
    {
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        var time = new FakeTimeProvider();
        return (new RequestTokenLimiter(new RedisLedger(() => redis, name), limits, TimeSpan.FromSeconds(5), time, NullLogger.Instance), new RedisLedger(() => redis, name), time);
    }
}
