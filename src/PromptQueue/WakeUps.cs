using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Turns the wake-ups of partitions, the answers of standing claims, and a connection that is back, into one signal: look at the queue.</summary>
public sealed class WakeUps : IAsyncDisposable
{
    private readonly List<ChannelMessageQueue> _subscriptions = [];
    private readonly CancellationTokenSource _disposed = new();
    private Task _restored = Task.CompletedTask;

    private WakeUps()
    {
    }

    /// <summary>Set when there may be work.</summary>
    public VersionedSignal Signal { get; } = new(runsInline: true);

    /// <summary>Listens for <paramref name="partitions"/>.</summary>
    /// <param name="redis">Where they are.</param>
    /// <param name="partitions">The partitions.</param>
    /// <param name="asked">Told the ids of jobs and batches that were asked to stop. As with all messages, some may be lost.</param>
    /// <param name="named">Told the ids of jobs that wait now where none did, before <see cref="Signal"/> is set; only where they are few.</param>
    /// <param name="ear">Of the standing claims whose answers are heard; null for none.</param>
    /// <param name="handed">Told these answers, before <see cref="Signal"/> is set.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public static Task<WakeUps> ListenAsync(
        RedisConnections redis, IReadOnlyList<QueuePartition> partitions, Action<QueuePartition, IReadOnlyCollection<string>>? asked = null, Action<QueuePartition, string[]>? named = null,
        string? ear = null, Action<QueuePartition, HandedJob>? handed = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(partitions);
        ArgumentNullException.ThrowIfNull(redis);
        var looks = partitions.Select(partition => (redis.Channel(partition.Wake), (Action<RedisValue>)(message => HearLook(partition, (string?)message ?? ""))));
        var answers = partitions.Select(partition => (redis.Channel(partition.Handed(ear ?? "")), (Action<RedisValue>)(message =>
        {
            if (HandedJob.Read(message) is { } job)
                handed?.Invoke(partition, job);
        })));
        return ListenAsync(redis, ear is null ? looks : looks.Concat(answers), cancellationToken);

        void HearLook(QueuePartition partition, string message)
        {
            if (message.StartsWith('!'))
                asked?.Invoke(partition, message[1..].Split('\n').ToHashSet(StringComparer.Ordinal));
            else if (message.StartsWith('+'))
                named?.Invoke(partition, message[1..].Split('\n'));
        }
    }

    /// <summary>Listens for queues that are created.</summary>
    public static Task<WakeUps> ListenForQueuesAsync(RedisConnections redis, PromptQueueOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return ListenAsync(redis, [(RedisChannel.Literal(QueueKeys.QueuesChannel(options.KeyPrefix)), _ => { })], cancellationToken);
    }

    private static async Task<WakeUps> ListenAsync(
        RedisConnections redis, IEnumerable<(RedisChannel Channel, Action<RedisValue> Heard)> channels, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(redis);
        var wakeUps = new WakeUps();
        wakeUps._restored = wakeUps.PassOnAsync(redis.Restored, redis.Restored.Version);
        try
        {
            foreach (var (channel, heard) in channels)
            {
                var subscription = await redis.SubscribeAsync(channel, cancellationToken).ConfigureAwait(false);
                subscription.OnMessage(message =>
                {
                    heard(message.Message);
                    wakeUps.Signal.Set();
                });
                wakeUps._subscriptions.Add(subscription);
            }
        }
        catch
        {
            await wakeUps.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return wakeUps;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _disposed.CancelAsync().ConfigureAwait(false);
        await _restored.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _disposed.Dispose();
        foreach (var subscription in _subscriptions)
            await subscription.UnsubscribeAsync(CommandFlags.FireAndForget).ConfigureAwait(false);
    }

    // What was published while the connection was away is lost: whoever sleeps has to look.
    private async Task PassOnAsync(VersionedSignal restored, long seen)
    {
        while (true)
        {
            await restored.WaitAsync(seen, Timeout.InfiniteTimeSpan, TimeProvider.System, _disposed.Token).ConfigureAwait(false);
            seen = restored.Version;
            Signal.Set();
        }
    }
}
