using System.Threading.RateLimiting;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary>A server without a quota that slows down when too much is asked of it at once.</summary>
public sealed class FindingTheServersPace
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task As_many_calls_run_as_the_server_takes_without_slowing_down()
    {
        await using var limiter = new LatencyLimiter(4, 1000, _time);
        // Forty at once are answered in a second; more of them queue up.
        var seen = Enumerable.Range(0, 300).Select(_ => Round(limiter, static calls => Math.Max(1, calls / 40.0))).ToList();
        Assert.InRange(seen.Skip(100).Average(), 32, 80);
        Assert.All(seen.Skip(100), calls => Assert.InRange(calls, 20, 100));
    }

    [Fact]
    public async Task A_server_that_gets_slower_gets_fewer_calls_and_more_again_later()
    {
        await using var limiter = new LatencyLimiter(4, 1000, _time);
        for (var i = 0; i < 100; i++)
            Round(limiter, static calls => Math.Max(1, calls / 40.0));
        var slow = Enumerable.Range(0, 250).Select(_ => Round(limiter, static calls => Math.Max(1, calls / 10.0))).TakeLast(30).Average();
        Assert.InRange(slow, 5, 30);
        var fast = Enumerable.Range(0, 250).Select(_ => Round(limiter, static calls => Math.Max(1, calls / 40.0))).TakeLast(30).Average();
        Assert.InRange(fast, 30, 100);
    }

    [Fact]
    public async Task A_burst_of_refusals_takes_a_fifth_away_once()
    {
        await using var limiter = new LatencyLimiter(100, 1000, _time);
        limiter.Failed();
        limiter.Failed();
        Assert.Equal(80, limiter.Limit);
        _time.Advance(TimeSpan.FromSeconds(1.5));
        limiter.Failed();
        Assert.Equal(64, limiter.Limit);
    }

    [Fact]
    public async Task What_is_not_used_is_not_raised()
    {
        await using var limiter = new LatencyLimiter(16, 1000, _time);
        for (var i = 0; i < 200; i++)
        {
            using var permit = limiter.AttemptAcquire();
            limiter.Took(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(16, limiter.Limit);
    }

    [Fact]
    public async Task Waiters_are_served_in_order_and_a_cancelled_one_is_passed_over()
    {
        await using var limiter = new LatencyLimiter(1, 1, _time);
        var running = limiter.AttemptAcquire();
        using var cancel = new CancellationTokenSource();
        var first = limiter.AcquireAsync(1, cancel.Token).AsTask();
        var second = limiter.AcquireAsync(1).AsTask();
        var third = limiter.AcquireAsync(1).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(2, limiter.GetStatistics()!.CurrentQueuedCount);
        running.Dispose();
        (await second).Dispose();
        Assert.True((await third).IsAcquired);
    }

    // As many calls as may run, all answered after what the server takes for so many.
    private static int Round(LatencyLimiter limiter, Func<int, double> seconds)
    {
        var running = new List<RateLimitLease>();
        while (limiter.AttemptAcquire() is { IsAcquired: true } permit)
            running.Add(permit);
        foreach (var permit in running)
        {
            limiter.Took(TimeSpan.FromSeconds(seconds(running.Count)));
            permit.Dispose();
        }
        return running.Count;
    }
}
