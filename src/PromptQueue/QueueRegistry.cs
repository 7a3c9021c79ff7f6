using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Which shared queues exist. A registered queue is served by workers. A queue without jobs is retired: it costs workers nothing, and the
/// next job registers it again. Private queues are not here.
/// </summary>
/// <remarks>
/// The keys lie in other cluster slots than those of the queues, so that no script changes both. A queue is marked as retired in each of its
/// partitions, is added to the retired ones, leaves the registered ones, and is checked again; whoever enqueues removes the mark, registers
/// the queue and only then adds the job. Cut off anywhere, a queue with jobs is registered, or is among the retired ones, which workers
/// check all the time.
/// </remarks>
internal sealed class QueueRegistry(RedisConnections redis, PromptQueueOptions options)
{
    private readonly RedisKey _registered = QueueKeys.Queues(options.KeyPrefix);
    private readonly RedisKey _retired = QueueKeys.RetiredQueues(options.KeyPrefix);

    /// <summary>The queues that workers serve, in the order of their names.</summary>
    public async Task<IReadOnlyList<string>> RegisteredAsync() =>
        [.. (await redis.Commands.SetMembersAsync(_registered).ConfigureAwait(false)).Select(queue => (string)queue!).Order(StringComparer.Ordinal)];

    /// <summary>Retired queues, those that were retired first first; one that is registered again may be among them.</summary>
    /// <param name="skip">How many to pass over.</param>
    /// <param name="take">How many at most.</param>
    public async Task<IReadOnlyList<(string Queue, DateTimeOffset Retired)>> RetiredAsync(long skip, long take) =>
        [.. (await redis.Commands.SortedSetRangeByRankWithScoresAsync(_retired, skip, skip + take - 1).ConfigureAwait(false))
            .Select(entry => ((string)entry.Element!, DateTimeOffset.FromUnixTimeMilliseconds((long)entry.Score)))];

    /// <summary>Whether workers serve a queue.</summary>
    public Task<bool> IsRegisteredAsync(string queue) => redis.Commands.SetContainsAsync(_registered, queue);

    /// <summary>Checks that a queue exists or may be created. Two callers at a time may pass the limit by one.</summary>
    /// <exception cref="QueueLimitException">It does not exist, and there are <see cref="PromptQueueOptions.MaxQueues"/>.</exception>
    public async Task AdmitAsync(string queue)
    {
        if (options.MaxQueues is not { } most
            || await IsRegisteredAsync(queue).ConfigureAwait(false)
            || await redis.Commands.SortedSetScoreAsync(_retired, queue).ConfigureAwait(false) is not null)
            return;
        var registered = await redis.Commands.SetLengthAsync(_registered).ConfigureAwait(false);
        if (registered + await redis.Commands.SortedSetLengthAsync(_retired).ConfigureAwait(false) >= most)
            throw new QueueLimitException(queue, most);
    }

    /// <summary>Has workers serve a queue, and tells them. Safe to repeat.</summary>
    public async Task RegisterAsync(string queue)
    {
        // A Redis without memory refuses to add what is there already.
        if (!await IsRegisteredAsync(queue).ConfigureAwait(false))
            await redis.Commands.SetAddAsync(_registered, queue).ConfigureAwait(false);
        await redis.Commands.PublishAsync(RedisChannel.Literal(QueueKeys.QueuesChannel(options.KeyPrefix)), "1").ConfigureAwait(false);
    }

    /// <summary>Retires a queue that has no jobs. Safe to repeat, and while others enqueue.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="partitions">Its partitions.</param>
    /// <param name="idle">How long no job of it must have been claimed or run.</param>
    /// <returns>False: it has jobs, is in use or is paused, and workers serve it.</returns>
    /// <exception cref="QueueMismatchException">It has other partitions or another schema version.</exception>
    public async Task<bool> RetireAsync(string queue, IReadOnlyList<QueuePartition> partitions, TimeSpan idle)
    {
        DateTimeOffset? now = null;
        foreach (var partition in partitions)
        {
            // A mark that stays where the next partition has jobs costs the next caller there a registration, and nothing else.
            now = await partition.RetireAsync(idle).ConfigureAwait(false);
            if (now is null)
                return false;
        }

        await redis.Commands.SortedSetAddAsync(_retired, queue, now!.Value.ToUnixTimeMilliseconds()).ConfigureAwait(false);
        await redis.Commands.SetRemoveAsync(_registered, queue).ConfigureAwait(false);
        return await ConfirmAsync(queue, partitions).ConfigureAwait(false);
    }

    /// <summary>Checks a retired queue, and registers it if it has jobs.</summary>
    /// <returns>False: it has jobs.</returns>
    public async Task<bool> ConfirmAsync(string queue, IReadOnlyList<QueuePartition> partitions)
    {
        foreach (var partition in partitions)
        {
            // Who removed the mark and has not enqueued yet is refused, and registers the queue again.
            if (await partition.RetireAsync(TimeSpan.Zero).ConfigureAwait(false) is not null)
                continue;
            await RegisterAsync(queue).ConfigureAwait(false);
            return false;
        }

        return true;
    }

    /// <summary>Removes a retired queue with all its keys, if it has nothing left. Safe to repeat.</summary>
    /// <returns>False: it has dead letters, or is in use again.</returns>
    public async Task<bool> RemoveAsync(string queue, IReadOnlyList<QueuePartition> partitions)
    {
        // The first partition tells how many there are: it goes last.
        foreach (var partition in partitions.Reverse())
        {
            if (!await partition.RemoveAsync().ConfigureAwait(false))
                return false;
        }

        await ForgetAsync(queue).ConfigureAwait(false);
        return true;
    }

    /// <summary>Takes a queue off the retired ones: it is registered.</summary>
    public Task ForgetAsync(string queue) => redis.Commands.SortedSetRemoveAsync(_retired, queue);
}
