using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline;

public sealed class VersionedSignals
{
    private readonly VersionedSignal _signal = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_set_between_note_and_wait_ends_the_wait_at_once()
    {
        var seen = _signal.Version;
        _signal.Set();
        Assert.True(await _signal.WaitAsync(seen, Timeout.InfiniteTimeSpan, _time, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task A_set_wakes_all_who_wait()
    {
        var waiters = Enumerable.Range(0, 100).Select(_ => _signal.WaitAsync(0, Timeout.InfiniteTimeSpan, _time, CancellationToken.None)).ToArray();
        Assert.All(waiters, w => Assert.False(w.IsCompleted));
        _signal.Set();
        Assert.All(await Task.WhenAll(waiters).WaitAsync(TimeSpan.FromSeconds(20)), Assert.True);
    }

    [Fact]
    public async Task Who_waits_for_one_that_runs_inline_goes_on_within_the_set()
    {
        var signal = new VersionedSignal(runsInline: true);
        var thread = 0;
        var waiting = WaitAsync();
        // A thread of the pool, which has no context of the test's.
        await Task.Run(() =>
        {
            signal.Set();
            Assert.Equal(Environment.CurrentManagedThreadId, thread);
        });
        await waiting;

        async Task WaitAsync()
        {
            await signal.WaitAsync(0, TimeSpan.FromHours(1), _time, CancellationToken.None).ConfigureAwait(false);
            thread = Environment.CurrentManagedThreadId;
        }
    }

    [Fact]
    public async Task Without_a_set_the_wait_ends_with_its_time()
    {
        var waiter = _signal.WaitAsync(0, TimeSpan.FromSeconds(1), _time, CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(0.999));
        Assert.False(waiter.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Assert.False(await waiter.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.False(await _signal.WaitAsync(0, TimeSpan.Zero, _time, CancellationToken.None));
    }

    [Fact]
    public async Task Cancelling_ends_the_wait()
    {
        using var cancellation = new CancellationTokenSource();
        var waiter = _signal.WaitAsync(0, Timeout.InfiniteTimeSpan, _time, cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiter);
    }

    [Fact]
    public async Task No_set_is_missed_by_a_waiter_on_another_thread()
    {
        const int Rounds = 50_000;
        var ping = new VersionedSignal();
        var pong = new VersionedSignal();
        var echo = Task.Run(async () =>
        {
            for (var round = 0L; round < Rounds; round++)
            {
                await ping.WaitAsync(round, Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None);
                pong.Set();
            }
        });
        for (var round = 0L; round < Rounds; round++)
        {
            ping.Set();
            await pong.WaitAsync(round, Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        }

        await echo;
    }
}
