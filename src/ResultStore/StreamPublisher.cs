using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Publishes the deltas of one call to the readers of its job. A delta is a message that is not repeated: a reader that misses one waits for the result.
/// The call is slowed by a Redis that is slow, and by a reader that is behind (<see cref="StreamPauses"/>).
/// </summary>
public sealed class StreamPublisher
{
    private const long MaxUnacknowledged = 1024 * 1024;

    private readonly RedisConnections _redis;
    private readonly RedisChannel _channel;
    private readonly StreamPauses _pauses;
    private readonly string _run;
    private readonly Lock _lock = new();
    private TimeSpan _maxPause;
    private TaskCompletionSource? _acknowledged;
    private long _unacknowledged;
    private int _count;
    private bool _isBroken;

    internal StreamPublisher(RedisConnections redis, RedisChannel channel, StreamPauses pauses, TimeSpan maxPause)
    {
        _redis = redis;
        _channel = channel;
        _pauses = pauses;
        _run = pauses.NewRun();
        _maxPause = maxPause;
    }

    /// <summary>The bytes that Redis has not acknowledged yet.</summary>
    internal long Unacknowledged
    {
        get
        {
            lock (_lock)
                return _unacknowledged;
        }
    }

    /// <summary>Publishes the next delta, and returns when there is capacity for another one.</summary>
    /// <exception cref="OperationCanceledException">Only when <paramref name="cancellationToken"/> is cancelled.</exception>
    public async ValueTask PublishAsync(string delta, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _isBroken))
            return;
        if (_count == 0)
            await _pauses.ListenAsync(cancellationToken).ConfigureAwait(false);
        var message = Encoding.UTF8.GetBytes($"{_run}|{_count++}|{delta}");
        lock (_lock)
            _unacknowledged += message.Length;
        _ = SendAsync(message);
        await AcknowledgedAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        if (_maxPause > TimeSpan.Zero)
            _maxPause -= await _pauses.WaitAsync(_run, _maxPause, cancellationToken).ConfigureAwait(false);
        else if (_pauses.IsPaused(_run))
            Volatile.Write(ref _isBroken, true);
    }

    private Task AcknowledgedAsync()
    {
        lock (_lock)
        {
            return _unacknowledged <= MaxUnacknowledged
                ? Task.CompletedTask
                : (_acknowledged ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private async Task SendAsync(byte[] message)
    {
        try
        {
            await _redis.PublishAsync(_channel, message).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            // Readers see by the numbers that one is missing, and wait for the result: what follows is of no use to them.
            Volatile.Write(ref _isBroken, true);
        }
        finally
        {
            TaskCompletionSource? waiting = null;
            lock (_lock)
            {
                _unacknowledged -= message.Length;
                if (_unacknowledged <= MaxUnacknowledged)
                    (waiting, _acknowledged) = (_acknowledged, null);
            }

            waiting?.TrySetResult();
        }
    }
}
