using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;

namespace LlmPipeline;

public sealed class RepeatingCalls
{
    [Theory]
    [InlineData("LOADING Redis is loading the dataset in memory")]
    [InlineData("READONLY You can't write against a read only replica.")]
    [InlineData("MISCONF Redis is configured to save RDB snapshots")]
    [InlineData("OOM command not allowed when used memory > 'maxmemory'. script: 8f1, on @user_script:5.")]
    [InlineData("ERR Error running script (call to f_1): @user_script:5: @user_script: 5: -OOM command not allowed when used memory > 'maxmemory'.")]
    [InlineData("CLUSTERDOWN The cluster is down")]
    [InlineData("TRYAGAIN Multiple keys request during rehashing of slot")]
    [InlineData("MASTERDOWN Link with MASTER is down")]
    [InlineData("Key has MOVED but CommandFlags.NoRedirect was specified - redirect not followed. ")]
    public void What_the_server_cannot_do_now_may_pass(string message) => Assert.True(RedisRetry.MayPass(Refusal(message)));

    [Theory]
    [InlineData("WRONGTYPE Operation against a key holding the wrong kind of value")]
    [InlineData("ERR unknown command 'ROOM'")]
    [InlineData("NOPERM this user has no permissions")]
    [InlineData("ERR BLOOM filter")]
    [InlineData("ERR user_script:1: attempt to compare nil with number")]
    public void What_is_wrong_with_the_call_does_not(string message)
    {
        Assert.False(RedisRetry.MayPass(Refusal(message)));
        Assert.False(RedisRetry.MayPass(new InvalidOperationException(message)));
    }

    [Fact]
    public async Task A_call_is_repeated_until_it_is_answered_with_growing_pauses()
    {
        var time = new FakeTimeProvider();
        var called = new SemaphoreSlim(0);
        var calls = 0;
        var answer = RedisRetry.UntilAnsweredAsync(
            () =>
            {
                calls++;
                called.Release();
                return calls switch
                {
                    < 4 => throw Gone(),
                    < 8 => throw Late(),
                    < 12 => throw Refusal("LOADING"),
                    _ => Task.FromResult(42),
                };
            },
            time);
        for (var call = 1; call < 12; call++)
        {
            Assert.True(await called.WaitAsync(TimeSpan.FromSeconds(20)));
            Assert.Equal(call, calls);
            await Eventually.HoldsAsync(
                () =>
                {
                    time.Advance(TimeSpan.FromMilliseconds(10));
                    return Task.FromResult(calls > call);
                },
                "it is called again");
        }

        Assert.Equal(42, await answer.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(12, calls);
    }

    [Fact]
    public void Pauses_double_from_fifty_milliseconds_to_a_second_less_up_to_half()
    {
        Assert.Equal([50, 100, 200, 400, 800, 1000, 1000], Enumerable.Range(0, 7).Select(n => RedisRetry.Pause(n, 0).TotalMilliseconds));
        Assert.Equal(TimeSpan.FromSeconds(0.5), RedisRetry.Pause(int.MaxValue, 1));
    }

    [Fact]
    public async Task Another_error_comes_out_at_the_first_call()
    {
        var calls = 0;
        await Assert.ThrowsAsync<RedisServerException>(() => RedisRetry.UntilAnsweredAsync<int>(
            () =>
            {
                calls++;
                throw Refusal("WRONGTYPE");
            },
            TimeProvider.System));
        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task Cancelling_ends_the_pause_and_the_call()
    {
        using var cancellation = new CancellationTokenSource();
        var paused = RedisRetry.UntilAnsweredAsync<int>(() => throw Refusal("LOADING"), new FakeTimeProvider(), null, cancellation.Token);
        var called = RedisRetry.UntilAnsweredAsync(() => new TaskCompletionSource<int>().Task, TimeProvider.System, null, cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => paused);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => called);
    }

    [Fact]
    public async Task Several_times_is_a_number_and_a_span()
    {
        var calls = 0;
        Task<int> Fail()
        {
            calls++;
            throw Gone();
        }

        await Assert.ThrowsAsync<RedisConnectionException>(() => RedisRetry.SeveralTimesAsync(Fail, 2, TimeSpan.FromHours(1), TimeProvider.System));
        Assert.Equal(3, calls);
        await Assert.ThrowsAsync<RedisConnectionException>(() => RedisRetry.SeveralTimesAsync(Fail, 100, TimeSpan.Zero, TimeProvider.System));
        Assert.Equal(4, calls);
        await Assert.ThrowsAsync<RedisServerException>(() => RedisRetry.SeveralTimesAsync<int>(() => throw Refusal("OOM"), 100, TimeSpan.FromHours(1), TimeProvider.System));
    }

    private static RedisServerException Refusal(string message) => new(RedisErrorKind.UnknownError, CommandFlags.None, message);

    private static RedisConnectionException Gone() => new(ConnectionFailureType.SocketFailure, CommandFlags.None, "gone");

    private static RedisTimeoutException Late() => new(CommandFlags.None, "late", CommandStatus.Sent);
}
