using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The private queues of runs: which there are, which run of a batch is live, and their end.</summary>
public sealed class PrivateQueues
{
    private const int QueuesPerRetirement = 100;
    private readonly RedisConnections _redis;
    private readonly PromptQueueOptions _options;
    private readonly TimeProvider _time;

    internal PrivateQueues(RedisConnections redis, PromptQueueOptions options, TimeProvider time) =>
        (_redis, _options, _time) = (redis, options, time);

    /// <summary>Their names, those that were used longest ago first.</summary>
    public async Task<IReadOnlyList<string>> ListAsync() =>
        [.. (await _redis.Commands.SortedSetRangeByRankAsync(QueueKeys.PrivateQueues(_options.KeyPrefix)).ConfigureAwait(false))
            .Select(queue => (string)queue!)];

    /// <summary>Takes the lock of a batch for a live run, or renews it. Safe to repeat.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="owner">The run; unique.</param>
    /// <param name="lifetime">How long the lock holds without a renewal.</param>
    /// <returns>Null when <paramref name="owner"/> has the lock now; else its holder, and until when.</returns>
    public async Task<BatchHolder?> LockAsync(string batch, string owner, TimeSpan lifetime)
    {
        var answer = (RedisResult[])(await QueueScripts.LockBatch.RunAsync(
            _redis.Commands, [QueueKeys.BatchLock(_options.KeyPrefix, batch)],
                [owner, (long)lifetime.TotalMilliseconds]).ConfigureAwait(false))!;
        return (int)answer[0] == 1 ? null : new BatchHolder((string)answer[1]!, TimeSpan.FromMilliseconds((long)answer[2]));
    }

    /// <summary>Gives the lock up. Safe to repeat.</summary>
    public Task UnlockAsync(string batch, string owner) =>
        QueueScripts.UnlockBatch.RunAsync(_redis.Commands, [QueueKeys.BatchLock(_options.KeyPrefix, batch)], [owner]);

    /// <summary>Removes a private queue with all that it holds. The counts of its batch stay until their own end. Safe to repeat.</summary>
    public async Task RetireAsync(string queue)
    {
        if (!PrivateQueue.Is(queue))
            throw new ArgumentException("is not a private queue", nameof(queue));
        await _redis.Commands.KeyDeleteAsync(new QueueKeys(_options.KeyPrefix, queue, 0).All).ConfigureAwait(false);
        await _redis.Commands.SortedSetRemoveAsync(QueueKeys.PrivateQueues(_options.KeyPrefix), queue).ConfigureAwait(false);
    }

    /// <summary>Removes the private queues of runs that nobody has continued for as long as a batch is kept. Safe to repeat.</summary>
    public async Task RetireExpiredAsync()
    {
        var oldest = (_time.GetUtcNow() - _options.BatchTtl).ToUnixTimeMilliseconds();
        foreach (var queue in await _redis.Commands.SortedSetRangeByScoreAsync(
            QueueKeys.PrivateQueues(_options.KeyPrefix), double.NegativeInfinity, oldest, take: QueuesPerRetirement).ConfigureAwait(false))
        {
            // A run may be as long as that, and still live.
            if (PrivateQueue.BatchOf(queue!) is { } batch
                && !await _redis.Commands.KeyExistsAsync(QueueKeys.BatchLock(_options.KeyPrefix, batch)).ConfigureAwait(false))
                await RetireAsync(queue!).ConfigureAwait(false);
        }
    }
}

/// <summary>Who has the lock of a batch.</summary>
/// <param name="Owner">The run.</param>
/// <param name="Remaining">How long the lock holds if it is not renewed.</param>
public sealed record BatchHolder(string Owner, TimeSpan Remaining);
