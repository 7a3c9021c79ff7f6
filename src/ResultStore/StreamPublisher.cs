using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Tells the deltas of one call to whoever follows its job. They are messages and nothing more: one that gets lost is not told again, and the result has all.
/// </summary>
public sealed class StreamPublisher
{
    private readonly ISubscriber _subscriber;
    private readonly RedisChannel _channel;
    private readonly string _run = Random.Shared.Next().ToString("x8", CultureInfo.InvariantCulture);
    private int _count;

    internal StreamPublisher(ISubscriber subscriber, RedisChannel channel)
    {
        _subscriber = subscriber;
        _channel = channel;
    }

    /// <summary>Tells the next delta; waits for nothing.</summary>
    public void Publish(string delta) => _subscriber.Publish(_channel, $"{_run}|{_count++}|{delta}", CommandFlags.FireAndForget);
}
