using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Turns the wake-ups of partitions, and a connection that is back, into one signal: look at the queue.</summary>
public sealed class WakeUps : IAsyncDisposable
{
    private readonly List<ChannelMessageQueue> _subscriptions = [];

    private WakeUps()
    {
    }

    /// <summary>Set when there may be work.</summary>
    public VersionedSignal Signal { get; } = new();

    /// <summary>Listens for <paramref name="partitions"/>.</summary>
    public static async Task<WakeUps> ListenAsync(RedisConnections redis, IEnumerable<QueuePartition> partitions)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(partitions);
        var wakeUps = new WakeUps();
        foreach (var partition in partitions)
        {
            var subscription = await redis.Subscriber.SubscribeAsync(RedisChannel.Literal(partition.Wake)).ConfigureAwait(false);
            subscription.OnMessage(_ => wakeUps.Signal.Set());
            wakeUps._subscriptions.Add(subscription);
        }

        return wakeUps;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var subscription in _subscriptions)
            await subscription.UnsubscribeAsync().ConfigureAwait(false);
    }
}
