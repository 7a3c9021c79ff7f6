using System.Threading.RateLimiting;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class LimitingRequestsAndTokens
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_minute_admits_no_more_than_the_limit_and_one_seconds_burst()
    {
        await using var limiter = Limiter(requests: 120);
        var admitted = 0;
        for (var i = 0; i < 600; i++)
        {
            while (limiter.AttemptAcquire(0).IsAcquired)
                admitted++;
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }
        Assert.InRange(admitted, 119, 121);
    }

    [Fact]
    public async Task An_idle_minute_saves_up_one_second_and_no_more()
    {
        await using var limiter = Limiter(requests: 300);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(5, Enumerable.Range(0, 50).Count(_ => limiter.AttemptAcquire(0).IsAcquired));
    }

    [Fact]
    public async Task A_slow_limit_admits_the_first_at_once_and_the_next_when_it_is_due()
    {
        await using var limiter = Limiter(requests: 3);
        Assert.True((await limiter.AcquireAsync(0)).IsAcquired);
        var second = limiter.AcquireAsync(0).AsTask();
        _time.Advance(TimeSpan.FromSeconds(19.9));
        Assert.False(second.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.True((await second).IsAcquired);
    }

    [Fact]
    public async Task Waiters_are_served_in_order_a_large_one_before_the_small_ones_behind_it()
    {
        await using var limiter = Limiter(tokens: 6000);
        Assert.True(limiter.AttemptAcquire(100).IsAcquired);
        var large = limiter.AcquireAsync(90).AsTask();
        var small = limiter.AcquireAsync(1).AsTask();
        _time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.False(large.IsCompleted || small.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.5));
        await large;
        await small;
    }

    [Fact]
    public async Task A_request_larger_than_the_bucket_passes_when_it_is_full_and_leaves_a_debt()
    {
        await using var limiter = Limiter(tokens: 6000);
        Assert.True(limiter.AttemptAcquire(1000).IsAcquired);
        var next = limiter.AcquireAsync(10).AsTask();
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(next.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        await next;
    }

    [Fact]
    public async Task What_was_reserved_too_much_comes_back_when_a_call_is_settled()
    {
        await using var limiter = Limiter(tokens: 6000);
        var lease = (RequestTokenLease)limiter.AttemptAcquire(1000);
        var next = limiter.AcquireAsync(50).AsTask();
        Assert.False(next.IsCompleted);
        lease.Settle(20);
        await next;
    }

    [Fact]
    public async Task What_was_reserved_too_little_is_owed_by_the_next_ones()
    {
        await using var limiter = Limiter(tokens: 6000);
        ((RequestTokenLease)limiter.AttemptAcquire(10)).Settle(590);
        var next = limiter.AcquireAsync(10).AsTask();
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(next.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        await next;
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
        var first = limiter.AcquireAsync(100, cancel.Token).AsTask();
        var second = limiter.AcquireAsync(10).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.True((await second).IsAcquired);
    }

    [Fact]
    public async Task A_gate_that_opens_soon_is_waited_for_and_one_that_does_not_refuses_and_says_how_long()
    {
        await using var limiter = Limiter();
        limiter.CloseUntil(_time.GetUtcNow().AddSeconds(2));
        var waiting = limiter.AcquireAsync(0).AsTask();
        Assert.False(waiting.IsCompleted);
        limiter.CloseUntil(_time.GetUtcNow().AddSeconds(1));
        Assert.Equal(TimeSpan.FromSeconds(2), limiter.ClosedFor);

        limiter.CloseUntil(_time.GetUtcNow().AddSeconds(60));
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
    public async Task A_short_gate_opens_by_itself()
    {
        await using var limiter = Limiter();
        limiter.CloseUntil(_time.GetUtcNow().AddSeconds(2));
        var waiting = Enumerable.Range(0, 3).Select(_ => limiter.AcquireAsync(0).AsTask()).ToList();
        _time.Advance(TimeSpan.FromSeconds(2.1));
        Assert.All(await Task.WhenAll(waiting), lease => Assert.True(lease.IsAcquired));
    }

    [Fact]
    public async Task Room_is_what_the_next_second_will_admit()
    {
        await using var unlimited = Limiter();
        Assert.Equal(int.MaxValue, unlimited.Room(TimeSpan.FromSeconds(1)));
        unlimited.CloseUntil(_time.GetUtcNow().AddSeconds(2));
        Assert.Equal(0, unlimited.Room(TimeSpan.FromSeconds(1)));

        await using var slow = Limiter(requests: 6);
        Assert.Equal(1, slow.Room(TimeSpan.FromSeconds(1)));
        Assert.True(slow.AttemptAcquire(0).IsAcquired);
        Assert.Equal(0, slow.Room(TimeSpan.FromSeconds(1)));
        Assert.Equal(9, slow.UntilRoom(TimeSpan.FromSeconds(1)).TotalSeconds, 1);
        _time.Advance(TimeSpan.FromSeconds(9.1));
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

    private RequestTokenLimiter Limiter(int? requests = null, int? tokens = null) => new(requests, tokens, TimeSpan.FromSeconds(5), _time);
}
