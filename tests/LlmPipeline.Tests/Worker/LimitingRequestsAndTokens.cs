using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class LimitingRequestsAndTokens
{
    // What has been granted reaches its task a moment later.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task The_first_minute_admits_the_limit_evenly_and_never_more()
    {
        await using var limiter = Limiter(requests: 120);
        var admitted = new List<int>();
        for (var second = 0; second < 60; second++)
        {
            admitted.Add(0);
            for (var step = 0; step < 10; step++)
            {
                while (limiter.AttemptAcquire(0).IsAcquired)
                    admitted[^1]++;
                _time.Advance(TimeSpan.FromMilliseconds(100));
            }
        }
        Assert.InRange(admitted.Sum(), 115, 120);
        Assert.All(admitted, second => Assert.InRange(second, 1, 4));
    }

    [Fact]
    public async Task An_idle_minute_saves_up_a_tenth_of_a_second()
    {
        await using var limiter = Limiter(requests: 6000);
        limiter.Room(TimeSpan.Zero);
        _time.Advance(TimeSpan.FromMinutes(1));
        // Ten, and the one that finds the pace at zero.
        Assert.Equal(11, Enumerable.Range(0, 500).Count(_ => limiter.AttemptAcquire(0).IsAcquired));
    }

    [Fact]
    public async Task A_slow_limit_admits_the_first_at_once_and_the_next_when_it_is_due()
    {
        await using var limiter = Limiter(requests: 3);
        Assert.True((await limiter.AcquireAsync(0)).IsAcquired);
        var second = limiter.AcquireAsync(0).AsTask();
        Advance(19);
        Assert.False(second.IsCompleted);
        Advance(4);
        Assert.True((await second.WaitAsync(Limit)).IsAcquired);
    }

    [Fact]
    public async Task Waiters_are_served_in_order_a_large_one_before_the_small_ones_behind_it()
    {
        await using var limiter = Limiter(tokens: 6000);
        Assert.True(limiter.AttemptAcquire(100).IsAcquired);
        var large = limiter.AcquireAsync(1000).AsTask();
        var small = limiter.AcquireAsync(1).AsTask();
        Advance(7);
        // Its tokens are not there yet, those of the small one would be.
        Assert.False(large.IsCompleted || small.IsCompleted);
        Advance(15);
        await Task.WhenAll(large, small).WaitAsync(Limit);
    }

    [Fact]
    public async Task A_request_larger_than_the_limit_passes_when_nothing_else_is_in_the_minute_and_keeps_the_next_ones_away()
    {
        await using var limiter = Limiter(tokens: 6000);
        Assert.True(limiter.AttemptAcquire(10).IsAcquired);
        var large = limiter.AcquireAsync(9000).AsTask();
        Advance(59);
        Assert.False(large.IsCompleted);
        Advance(2.5);
        Assert.True((await large.WaitAsync(Limit)).IsAcquired);
        var next = limiter.AcquireAsync(10).AsTask();
        Advance(59);
        Assert.False(next.IsCompleted);
    }

    [Fact]
    public async Task What_was_reserved_too_much_comes_back_when_a_call_is_settled()
    {
        await using var limiter = Limiter(tokens: 6000);
        var lease = await limiter.AcquireAsync(new TokenEstimate(10, 5000, 10), default);
        var next = limiter.AcquireAsync(2000).AsTask();
        Advance(5);
        Assert.False(next.IsCompleted);
        lease.Settle(20);
        Advance(0.1);
        Assert.True((await next.WaitAsync(Limit)).IsAcquired);
    }

    [Fact]
    public async Task What_was_reserved_too_little_is_owed_by_the_next_ones()
    {
        await using var limiter = Limiter(tokens: 6000);
        ((RequestTokenLease)limiter.AttemptAcquire(10)).Settle(590);
        var next = limiter.AcquireAsync(10).AsTask();
        Advance(4.5);
        Assert.False(next.IsCompleted);
        Advance(3);
        Assert.True((await next.WaitAsync(Limit)).IsAcquired);
    }

    [Fact]
    public async Task A_lease_is_settled_once()
    {
        await using var limiter = Limiter(tokens: 6000);
        var lease = (RequestTokenLease)limiter.AttemptAcquire(100);
        lease.Settle(100);
        lease.Settle(0);
        lease.GiveBack();
        Assert.False(limiter.AttemptAcquire(1).IsAcquired);
    }

    [Fact]
    public async Task A_call_that_was_never_sent_gives_back_its_request_and_tokens()
    {
        await using var limiter = Limiter(requests: 1, tokens: 60);
        ((RequestTokenLease)limiter.AttemptAcquire(1)).GiveBack();
        Assert.True(limiter.AttemptAcquire(1).IsAcquired);
        Assert.False(limiter.AttemptAcquire(0).IsAcquired);
    }

    [Fact]
    public async Task A_cancelled_waiter_leaves_and_those_behind_it_move_up()
    {
        await using var limiter = Limiter(tokens: 6000);
        Assert.True(limiter.AttemptAcquire(100).IsAcquired);
        using var cancel = new CancellationTokenSource();
        var first = limiter.AcquireAsync(5999, cancel.Token).AsTask();
        var second = limiter.AcquireAsync(10).AsTask();
        Advance(2);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Advance(0.2);
        Assert.True((await second.WaitAsync(Limit)).IsAcquired);
    }

    [Fact]
    public async Task A_gate_that_opens_soon_is_waited_for_and_one_that_does_not_refuses_and_says_how_long()
    {
        await using var limiter = Limiter();
        Close(limiter, 2);
        var waiting = limiter.AcquireAsync(0).AsTask();
        Assert.False(waiting.IsCompleted);
        Close(limiter, 1);
        Assert.Equal(TimeSpan.FromSeconds(2), limiter.ClosedFor);

        Close(limiter, 60);
        foreach (var lease in (RateLimitLease[])[await waiting, await limiter.AcquireAsync(0)])
        {
            Assert.False(lease.IsAcquired);
            Assert.True(lease.TryGetMetadata(MetadataName.RetryAfter, out var wait));
            Assert.Equal(TimeSpan.FromSeconds(60), wait);
        }
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.True((await limiter.AcquireAsync(0)).IsAcquired);
    }

    [Fact]
    public async Task Room_is_what_the_next_second_will_admit()
    {
        await using var unlimited = Limiter();
        Assert.Equal(int.MaxValue, unlimited.Room(TimeSpan.FromSeconds(1)));
        Close(unlimited, 2);
        Assert.Equal(0, unlimited.Room(TimeSpan.FromSeconds(1)));

        await using var slow = Limiter(requests: 6);
        Assert.Equal(1, slow.Room(TimeSpan.FromSeconds(1)));
        Assert.True(slow.AttemptAcquire(0).IsAcquired);
        Assert.Equal(0, slow.Room(TimeSpan.FromSeconds(1)));
        Assert.InRange(slow.UntilRoom(TimeSpan.FromSeconds(1)).TotalSeconds, 8, 10);
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(1, slow.Room(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task Disposing_ends_the_waiting()
    {
        var limiter = Limiter(requests: 1);
        Assert.True(limiter.AttemptAcquire(0).IsAcquired);
        var waiting = limiter.AcquireAsync(0).AsTask();
        await limiter.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
    }

    private static void Close(RequestTokenLimiter limiter, double seconds) => limiter.Refuse(0, new RateLimitHeaders(), TimeSpan.FromSeconds(seconds));

    // In small steps, as time goes: one leap would fire a timer once.
    private void Advance(double seconds)
    {
        for (var left = TimeSpan.FromSeconds(seconds); left > TimeSpan.Zero; left -= TimeSpan.FromMilliseconds(10))
            _time.Advance(TimeSpan.FromMilliseconds(10));
    }

    private RequestTokenLimiter Limiter(int? requests = null, int? tokens = null) =>
        new(new MemoryLedger(_time), new QuotaAmount(requests ?? 0, tokens ?? 0), TimeSpan.FromSeconds(5), _time, NullLogger.Instance);
}
