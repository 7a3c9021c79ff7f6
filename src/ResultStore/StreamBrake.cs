using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Pauses the call that streams while its reader is behind (<see cref="StreamPauses"/>). A reader that reads nothing for a minute gets no more deltas, so that
/// it does not occupy a worker.
/// </summary>
/// <param name="redis">The connections.</param>
/// <param name="channelStart">What the channels of processes that stream begin with.</param>
/// <param name="deltas">What waits for the reader.</param>
/// <param name="isScarce">Whether there is little memory left for what waits for readers; null when that is not known.</param>
/// <param name="time">The clock.</param>
internal sealed class StreamBrake(RedisConnections redis, string channelStart, DeltaBuffer deltas, Func<bool>? isScarce, TimeProvider time) : IAsyncDisposable
{
    private const long PauseAbove = 512 * 1024, PauseAboveWhenScarce = 32 * 1024, ResumeBelow = 16 * 1024;
    private static readonly TimeSpan ReadsWithin = TimeSpan.FromMinutes(1);

    private readonly string _reader = Random.Shared.Next().ToString("x8", CultureInfo.InvariantCulture);
    private readonly Lock _lock = new();
    private string? _run;
    private ITimer? _repeat;
    private long _lastRead;
    private bool _isPaused;
    private bool _isDisposed;

    /// <summary>A delta of the stream <paramref name="run"/> has arrived.</summary>
    public void Arrived(string run)
    {
        lock (_lock)
        {
            if (_run != run && _isPaused)
                Release();
            _run = run;
            if (!_isPaused && !_isDisposed && !deltas.IsOver && deltas.Bytes is var bytes && (bytes > PauseAbove || (bytes > PauseAboveWhenScarce && isScarce?.Invoke() == true)))
                Pause();
        }
    }

    /// <summary>The reader has taken one.</summary>
    public void Read()
    {
        _lastRead = time.GetTimestamp();
        if (!Volatile.Read(ref _isPaused))
            return;
        lock (_lock)
        {
            if (_isPaused && deltas.Bytes < ResumeBelow)
                Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        ITimer? repeat;
        lock (_lock)
        {
            _isDisposed = true;
            repeat = _repeat;
            if (_isPaused)
                Release();
        }

        if (repeat is not null)
            await repeat.DisposeAsync().ConfigureAwait(false);
    }

    private void Pause()
    {
        if (StreamPauses.ChannelOf(channelStart, _run!) is null)
            return;
        _isPaused = true;
        _lastRead = time.GetTimestamp();
        Send();
        _repeat = time.CreateTimer(_ => Repeat(), null, StreamPauses.RepeatAfter, StreamPauses.RepeatAfter);
    }

    private void Repeat()
    {
        lock (_lock)
        {
            if (!_isPaused)
                return;
            if (time.GetElapsedTime(_lastRead) < ReadsWithin)
            {
                Send();
                return;
            }

            deltas.Drop();
            Release();
        }
    }

    private void Release()
    {
        _isPaused = false;
        _repeat?.Dispose();
        _repeat = null;
        Send();
    }

    private void Send() => _ = SendAsync(StreamPauses.ChannelOf(channelStart, _run!)!, StreamPauses.Message(_run!, _reader, _isPaused));

    private async Task SendAsync(string channel, string message)
    {
        try
        {
            await redis.PublishAsync(redis.Channel(channel), message).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            // A message that is lost is repeated, and the end of a pause comes by itself.
        }
    }
}
