using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary>What one refusal changes for the calls after it. Tests <see cref="RequestTokenLimiter"/> and both ledgers.</summary>
public sealed class ThrottlingAfterRefusals
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_single_refusal_of_a_quiet_limiter_closes_the_gate_for_its_wait_and_limits_nothing_after_it()
    {
        await using var limiter = Limiter();
        await QuietMinutesAsync(limiter);
        var refused = await limiter.AcquireAsync(default, default);
        Assert.True(limiter.Refuse(refused.Number, new RateLimitHeaders(), TimeSpan.FromSeconds(0.7)));
        Assert.Equal(TimeSpan.FromSeconds(0.7), limiter.ClosedFor);
        _time.Advance(TimeSpan.FromSeconds(0.7));
        Assert.True(limiter.Limits.IsNone);
        Assert.Equal(50, Admitted(limiter, 50));
    }

    [Fact]
    public async Task A_single_refusal_does_not_replace_a_guess_that_has_grown_by_one_from_a_few_calls()
    {
        await using var limiter = Limiter();
        Assert.Equal(300, Admitted(limiter, 300));
        Refuse(limiter);
        Assert.InRange(limiter.Limits.Requests, 200, 100_000);
        _time.Advance(TimeSpan.FromMinutes(30));
        await QuietMinutesAsync(limiter);
        var before = limiter.Limits.Requests;
        Refuse(limiter);
        Assert.InRange(limiter.Limits.Requests, before / 2, before);
    }

    [Fact]
    public async Task Another_refusal_within_a_minute_is_evidence_of_a_limit_but_not_of_a_tiny_one()
    {
        await using var limiter = Limiter();
        await QuietMinutesAsync(limiter);
        Refuse(limiter);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(limiter.Limits.IsNone);
        Refuse(limiter);
        Assert.InRange(limiter.Limits.Requests, 15, 30);
    }

    [Fact]
    public async Task A_refusal_of_many_calls_is_evidence_of_a_limit()
    {
        await using var limiter = Limiter();
        await QuietMinutesAsync(limiter);
        Assert.Equal(100, Admitted(limiter, 100));
        Refuse(limiter);
        Assert.InRange(limiter.Limits.Requests, 80, 110);
    }

    [Fact]
    public async Task A_longer_wait_than_is_trusted_closes_the_gate_for_that_and_then_one_call_tries_alone()
    {
        await using var limiter = Limiter();
        Refuse(limiter, TimeSpan.FromDays(1));
        Assert.Equal(Hour, limiter.ClosedFor);
        _time.Advance(Hour);
        Assert.Equal(1, Admitted(limiter, 20));
        // No outcome of it was reported: another one tries.
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(1, Admitted(limiter, 20));
        limiter.Hear(new RateLimitHeaders());
        Assert.Equal(20, Admitted(limiter, 20));
    }

    [Fact]
    public async Task A_probe_that_is_refused_closes_the_gate_for_as_long_again()
    {
        await using var limiter = Limiter();
        Refuse(limiter, TimeSpan.FromDays(1));
        _time.Advance(Hour);
        Refuse(limiter, TimeSpan.FromHours(23));
        Assert.Equal(Hour, limiter.ClosedFor);
        // An answer to a call from before changes nothing.
        limiter.Hear(new RateLimitHeaders());
        Assert.Equal(Hour, limiter.ClosedFor);
        _time.Advance(Hour);
        Assert.Equal(1, Admitted(limiter, 20));
    }

    [Fact]
    public async Task A_wait_that_is_trusted_ends_without_a_probe()
    {
        await using var limiter = Limiter();
        Refuse(limiter, TimeSpan.FromMinutes(59));
        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal(20, Admitted(limiter, 20));
    }

    [Fact]
    public async Task An_operator_opens_the_gate()
    {
        await using var limiter = Limiter();
        Refuse(limiter, TimeSpan.FromDays(1));
        limiter.Open();
        Assert.Equal(20, Admitted(limiter, 20));
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task One_worker_of_a_fleet_probes_and_its_answer_opens_the_gate_for_all(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        await using var one = Fleet(redis, name, TimeSpan.FromSeconds(0.3));
        await using var two = Fleet(redis, name, TimeSpan.FromSeconds(0.3));
        Refuse(one, TimeSpan.FromDays(1));
        await Eventually.HoldsAsync(() => Task.FromResult(Gate(one) && Gate(two)), "both know the gate", TimeSpan.FromSeconds(30));
        var probe = await AcquiredAsync(one);
        Assert.False((await two.AcquireAsync(default, default)).IsAcquired);
        Assert.False((await one.AcquireAsync(default, default)).IsAcquired);
        Assert.True(probe.IsAcquired);
        one.Hear(new RateLimitHeaders());
        await AcquiredAsync(two);
        Assert.True((await two.AcquireAsync(default, default)).IsAcquired);
        Assert.True((await one.AcquireAsync(default, default)).IsAcquired);

        static bool Gate(RequestTokenLimiter limiter)
        {
            limiter.Room(TimeSpan.Zero);
            return limiter.ClosedFor > TimeSpan.Zero;
        }
    }

    [Theory]
    [ClassData(typeof(Stores))]
    public async Task A_single_refusal_on_an_idle_fleet_does_not_throttle_the_calls_of_the_next_minute(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var name = Stores.NewName("deployment");
        // The account is some minutes old, so what was used in its last minute is not scaled up.
        await new RedisLedger(() => redis, name).ExchangeAsync(null, SharingAQuota.Ask(default));
        await redis.Database.HashIncrementAsync(RedisLedger.KeyOf(name), "began", -180_000.0);
        await using var one = Fleet(redis, name, Hour);
        await using var two = Fleet(redis, name, Hour);
        var refused = await one.AcquireAsync(default, default);
        Assert.True((await two.AcquireAsync(default, default)).IsAcquired);
        Assert.True(one.Refuse(refused.Number, new RateLimitHeaders(), TimeSpan.FromSeconds(0.7)));
        // At two calls a minute these would take five minutes.
        var calls = Enumerable.Range(0, 10).Select(n => (n % 2 == 0 ? one : two).AcquireAsync(default, default).AsTask()).ToList();
        Assert.All(await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(20)), lease => Assert.True(lease.IsAcquired));
    }

    private static async Task<RequestTokenLease> AcquiredAsync(RequestTokenLimiter limiter)
    {
        RequestTokenLease? lease = null;
        await Eventually.HoldsAsync(
            async () => (lease = await limiter.AcquireAsync(default, default)).IsAcquired, "a call passes", TimeSpan.FromSeconds(30));
        return lease!;
    }

    private static void Refuse(RequestTokenLimiter limiter, TimeSpan? wait = null)
    {
        var refused = limiter.AcquireAsync(default, default);
        Assert.True(refused.IsCompletedSuccessfully || !limiter.Limits.IsNone || wait is not null);
        limiter.Refuse(
            refused.IsCompletedSuccessfully ? refused.Result.Number : 0, new RateLimitHeaders(), wait ?? TimeSpan.FromSeconds(0.7));
    }

    private static int Admitted(RequestTokenLimiter limiter, int calls) =>
        Enumerable.Range(0, calls).Count(_ => limiter.AttemptAcquire(0).IsAcquired);

    private static RequestTokenLimiter Fleet(RedisConnections redis, string name, TimeSpan maxRetryAfter) =>
        new(
            new RedisLedger(() => redis, name),
            default,
            TimeSpan.FromSeconds(5),
            TimeProvider.System,
            NullLogger.Instance)
        { MaxRetryAfter = maxRetryAfter };

    // A call every ten seconds for three minutes.
    private async Task QuietMinutesAsync(RequestTokenLimiter limiter)
    {
        for (var n = 0; n < 18; n++)
        {
            (await limiter.AcquireAsync(default, default).AsTask().WaitAsync(TimeSpan.FromSeconds(30))).Settle(1);
            limiter.Hear(new RateLimitHeaders());
            _time.Advance(TimeSpan.FromSeconds(10));
        }
    }

    private RequestTokenLimiter Limiter() =>
        new(new MemoryLedger(_time), default, TimeSpan.FromSeconds(5), _time, NullLogger.Instance) { MaxRetryAfter = Hour };
}
