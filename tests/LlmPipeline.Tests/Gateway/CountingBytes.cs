using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline;

/// <summary>The bytes that calls hold: <see cref="ByteBudget"/>.</summary>
public sealed class CountingBytes
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), Safety = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Who_finds_none_left_gets_them_when_another_gives_them_back()
    {
        var budget = new ByteBudget(60, 100, _time);
        await TakeAsync(budget, "a", 50);
        await TakeAsync(budget, "b", 50);
        var waiting = TakeAsync(budget, "c", 30);
        Assert.False(waiting.IsCompleted);
        budget.Return("a", 50);
        Assert.Equal(30, await waiting.WaitAsync(Safety));
        Assert.Equal(80, budget.Taken);
    }

    [Fact]
    public async Task A_key_that_has_used_up_its_own_gets_429_and_delays_no_other()
    {
        var budget = new ByteBudget(60, 100, _time);
        await TakeAsync(budget, "a", 50);
        var own = TakeAsync(budget, "a", 20);
        await TakeAsync(budget, "b", 20).WaitAsync(Safety);
        _time.Advance(Patience);
        var refused = await Assert.ThrowsAsync<ApiException>(() => own.WaitAsync(Safety));
        Assert.Equal(
            (429, "rate_limit_error", TimeSpan.FromSeconds(2)), (refused.Error.Status, refused.Error.Type, refused.Error.RetryAfter));
        Assert.Equal(70, budget.Taken);
    }

    [Fact]
    public async Task When_all_are_taken_a_request_that_waits_too_long_gets_503_and_those_behind_are_served()
    {
        var budget = new ByteBudget(60, 100, _time);
        await TakeAsync(budget, "a", 50);
        await TakeAsync(budget, "b", 40);
        var large = TakeAsync(budget, "c", 30);
        _time.Advance(TimeSpan.FromSeconds(1));
        // It would fit, but does not overtake: what is large would never have its turn.
        var small = TakeAsync(budget, "d", 10);
        Assert.False(small.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(4));
        var refused = await Assert.ThrowsAsync<ApiException>(() => large.WaitAsync(Safety));
        Assert.Equal((503, "overloaded"), (refused.Error.Status, refused.Error.Code));
        Assert.Equal(10, await small.WaitAsync(Safety));
    }

    [Fact]
    public async Task What_is_larger_than_all_there_is_passes_alone()
    {
        var budget = new ByteBudget(60, 100, _time);
        Assert.Equal(60, await TakeAsync(budget, "a", 1000));
        var next = TakeAsync(budget, "a", 1);
        Assert.False(next.IsCompleted);
        budget.Return("a", 60);
        Assert.Equal(1, await next.WaitAsync(Safety));
    }

    [Fact]
    public async Task Who_gives_up_waiting_leaves_nothing_behind()
    {
        var budget = new ByteBudget(100, 100, _time);
        await TakeAsync(budget, "a", 100);
        using var gone = new CancellationTokenSource();
        var waiting = budget.TakeAsync("b", 50, Timeout.InfiniteTimeSpan, gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        budget.Return("a", 100);
        Assert.Equal(0, budget.Taken);
        using (var held = budget.For("c"))
            await held.TakeRequestAsync(100, CancellationToken.None).WaitAsync(Safety);
        Assert.Equal(0, budget.Taken);
    }

    [Fact]
    public async Task Who_holds_some_and_needs_more_goes_beyond_all_there_is_one_at_a_time()
    {
        var budget = new ByteBudget(60, 100, _time);
        using var one = budget.For("a");
        using var other = budget.For("b");
        await one.TakeRequestAsync(50, CancellationToken.None);
        await other.TakeRequestAsync(50, CancellationToken.None);
        await one.TakeMoreAsync(40, CancellationToken.None).WaitAsync(Safety);
        var waiting = other.TakeMoreAsync(40, CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        one.Return();
        await waiting.WaitAsync(Safety);
        Assert.Equal(90, budget.Taken);
        other.Return();
        Assert.Equal(0, budget.Taken);
    }

    private static Task<long> TakeAsync(ByteBudget budget, string owner, long bytes) =>
        budget.TakeAsync(owner, bytes, Patience, CancellationToken.None);
}
