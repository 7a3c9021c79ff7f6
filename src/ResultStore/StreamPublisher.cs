using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Tells the deltas of one call to whoever follows its job. They are messages and nothing more: one that gets lost is not told again, and the result has all.
/// A Redis that is slow or away does not make them pile up here: beyond 2 MiB that it has not taken, one always passing, the call's further deltas are dropped.
/// </summary>
public sealed class StreamPublisher
{
    private readonly RedisConnections _redis;
    private readonly RedisChannel _channel;
    private readonly string _run = Random.Shared.Next().ToString("x8", CultureInfo.InvariantCulture);
    private const long MostUntaken = 2 * 1024 * 1024;
    private long _untaken;
    private int _count;
    private bool _isOver;

    internal StreamPublisher(RedisConnections redis, RedisChannel channel)
    {
        _redis = redis;
        _channel = channel;
    }

    /// <summary>The bytes that Redis has not taken yet.</summary>
    internal long Untaken => Interlocked.Read(ref _untaken);

    /// <summary>Tells the next delta; waits for nothing.</summary>
    public void Publish(string delta)
    {
        // Who follows sees by the numbers that some are missing, and waits for the result.
        if (_isOver)
            return;
        var message = Encoding.UTF8.GetBytes($"{_run}|{_count++}|{delta}");
        _isOver = Untaken is > 0 and var before && before + message.Length > MostUntaken;
        if (_isOver)
            return;
        Interlocked.Add(ref _untaken, message.Length);
        _ = _redis.PublishAsync(_channel, message).ContinueWith(
            (told, size) =>
            {
                // Looked at, so that nobody else is told of it: a message that was not taken is one that is lost.
                _ = told.Exception;
                Interlocked.Add(ref _untaken, -(int)size!);
            },
            message.Length, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
