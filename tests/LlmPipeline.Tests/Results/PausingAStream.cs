using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline;

/// <summary>How a reader that is behind pauses the call that streams: <see cref="StreamPauses"/> and <see cref="StreamBrake"/>.</summary>
public sealed class PausingAStream
{
    private const string Channels = "result:streams:";

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_pause_ends_when_every_reader_has_caught_up()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var (pauses, run) = await ListenAsync(redis);
        await SendAsync(redis, run, "a", true);
        await SendAsync(redis, run, "b", true);
        await Eventually.HoldsAsync(() => Task.FromResult(pauses.IsPaused(run)), "it is paused");
        var waiting = pauses.WaitAsync(run, TimeSpan.FromMinutes(5), default).AsTask();

        await SendAsync(redis, run, "a", false);
        // Messages of one channel arrive in order.
        await SendAsync(redis, pauses.NewRun(), "c", true);
        Assert.False(waiting.IsCompleted);
        await SendAsync(redis, run, "b", false);

        await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(pauses.IsPaused(run));
    }

    [Fact]
    public async Task A_pause_that_is_not_repeated_ends_because_its_reader_is_gone()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var (pauses, run) = await ListenAsync(redis);
        await SendAsync(redis, run, "a", true);
        await Eventually.HoldsAsync(() => Task.FromResult(pauses.IsPaused(run)), "it is paused");
        var waiting = pauses.WaitAsync(run, TimeSpan.FromMinutes(5), default).AsTask();

        _time.Advance(StreamPauses.RepeatAfter * 4);

        Assert.Equal(StreamPauses.RepeatAfter * 4, await waiting.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task A_reader_that_reads_nothing_for_a_minute_pauses_nobody_any_more()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var (pauses, run) = await ListenAsync(redis);
        var deltas = new DeltaBuffer(4_000_000);
        await using var brake = new StreamBrake(redis, Channels, deltas, null, _time);
        deltas.Add(new byte[600_000]);

        brake.Arrived(run);
        await Eventually.HoldsAsync(() => Task.FromResult(pauses.IsPaused(run)), "it is paused");
        for (var n = 0; n < 31; n++)
            _time.Advance(StreamPauses.RepeatAfter);

        Assert.True(deltas.IsOver);
        Assert.Equal(0, deltas.Bytes);
        await Eventually.HoldsAsync(() => Task.FromResult(!pauses.IsPaused(run)), "it goes on");
    }

    [Fact]
    public async Task Where_memory_is_scarce_a_stream_is_paused_early_and_resumed_when_it_is_read()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var (pauses, run) = await ListenAsync(redis);
        var isScarce = false;
        var deltas = new DeltaBuffer(4_000_000);
        await using var brake = new StreamBrake(redis, Channels, deltas, () => isScarce, _time);
        deltas.Add(new byte[100_000]);
        brake.Arrived(run);
        Assert.False(pauses.IsPaused(run));

        isScarce = true;
        brake.Arrived(run);
        await Eventually.HoldsAsync(() => Task.FromResult(pauses.IsPaused(run)), "it is paused");
        Assert.True(deltas.TryRead(out _));
        brake.Read();

        await Eventually.HoldsAsync(() => Task.FromResult(!pauses.IsPaused(run)), "it goes on");
    }

    private async Task<(StreamPauses Pauses, string Run)> ListenAsync(RedisConnections redis)
    {
        var pauses = new StreamPauses(redis, Channels, _time);
        await pauses.ListenAsync(default);
        return (pauses, pauses.NewRun());
    }

    private static Task<long> SendAsync(RedisConnections redis, string run, string reader, bool isBehind) =>
        redis.Subscriber.PublishAsync(redis.Channel(StreamPauses.ChannelOf(Channels, run)!), StreamPauses.Message(run, reader, isBehind));
}
