using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Jobs that were submitted together: their progress, and their ids as they end.</summary>
public sealed class Batches
{
    private const int RowsPerRevoke = 500;
    private readonly RedisConnections _redis;
    private readonly PromptQueueOptions _options;
    private readonly PromptQueue _queue;
    private readonly TimeProvider _time;

    internal Batches(RedisConnections redis, PromptQueueOptions options, PromptQueue queue, TimeProvider time)
    {
        _time = time;
        _redis = redis;
        _options = options;
        _queue = queue;
    }

    /// <summary>Writes down what a batch is. Safe to repeat.</summary>
    public async Task SaveAsync(BatchInfo batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await QueueScripts.SaveBatch.RunAsync(_redis.Commands, [QueueKeys.WholeBatch(_options.KeyPrefix, batch.Id)], [
            (long)_options.BatchTtl.TotalSeconds,
            "rows", batch.Rows,
            "queues", string.Join('\n', batch.Queues),
            "models", string.Join('\n', batch.Models),
            "endpoint", batch.Endpoint,
            "created", batch.Created.ToUnixTimeMilliseconds(),
            "sealed", batch.Sealed ? 1 : 0,
            .. batch.Name is not null ? new RedisValue[] { "name", batch.Name } : [],
            .. batch.Submitted > 0 ? new RedisValue[] { "submitted", batch.Submitted } : [],
        ]).ConfigureAwait(false);
        var all = QueueKeys.AllBatches(_options.KeyPrefix);
        await _redis.Commands.SortedSetAddAsync(all, batch.Id, batch.Created.ToUnixTimeMilliseconds()).ConfigureAwait(false);
        await _redis.Commands.SortedSetRemoveRangeByScoreAsync(all, double.NegativeInfinity, (_time.GetUtcNow() - _options.BatchTtl).ToUnixTimeMilliseconds()).ConfigureAwait(false);
    }

    /// <summary>What a batch is; null when there is none of that id, or no longer.</summary>
    public async Task<BatchInfo?> FindAsync(string id)
    {
        var fields = (await _redis.Commands.HashGetAllAsync(QueueKeys.WholeBatch(_options.KeyPrefix, id)).ConfigureAwait(false)).ToStringDictionary();
        // A mark that was set when the batch had just expired is no batch.
        if (!fields.ContainsKey("rows"))
            return null;
        return new BatchInfo
        {
            Id = id,
            Name = fields.GetValueOrDefault("name"),
            Rows = int.Parse(fields["rows"], CultureInfo.InvariantCulture),
            Queues = fields["queues"].Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Models = fields.GetValueOrDefault("models")?.Split('\n', StringSplitOptions.RemoveEmptyEntries)!,
            Endpoint = fields["endpoint"],
            Created = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(fields["created"], CultureInfo.InvariantCulture)),
            Sealed = fields["sealed"] == "1",
            Submitted = int.Parse(fields.GetValueOrDefault("submitted") ?? "0", CultureInfo.InvariantCulture),
            Cancelled = fields.ContainsKey("cancelled"),
            Simulated = fields.ContainsKey("simulated"),
        };
    }

    /// <summary>The ids of the batches, the newest first. One may be gone by the time that it is looked for.</summary>
    public async Task<IReadOnlyList<string>> ListAsync() =>
        [.. (await _redis.Commands.SortedSetRangeByRankAsync(QueueKeys.AllBatches(_options.KeyPrefix), order: Order.Descending).ConfigureAwait(false)).Select(id => (string)id!)];

    /// <summary>The ids of the batches of a name, the newest first. It asks each batch for its name.</summary>
    public async Task<IReadOnlyList<string>> NamedAsync(string name)
    {
        var named = new List<string>();
        foreach (var ids in (await ListAsync().ConfigureAwait(false)).Chunk(RowsPerRevoke))
        {
            var names = await Task.WhenAll(ids.Select(id => _redis.Commands.HashGetAsync(QueueKeys.WholeBatch(_options.KeyPrefix, id), "name"))).ConfigureAwait(false);
            named.AddRange(ids.Where((_, n) => names[n] == name));
        }

        return named;
    }

    /// <summary>How far a batch is, over its queues and their partitions; all 0 when there is none of that id.</summary>
    public async Task<BatchProgress> ProgressAsync(string batch)
    {
        var parts = await Task.WhenAll((await PartitionsOfAsync(batch).ConfigureAwait(false)).Select(p => p.ProgressAsync(batch))).ConfigureAwait(false);
        return new BatchProgress(parts.Sum(p => p.Expected), parts.Sum(p => p.Completed), parts.Sum(p => p.Failed), parts.Sum(p => p.Cancelled)) { SpentNanos = BatchProgress.SumOf(parts) };
    }

    /// <summary>
    /// Asks the rows of a batch to stop, those too that are enqueued after this. The workers are told at once: they end waiting rows as cancelled, wherever in
    /// the queue these are, and break off running calls. Running rows again takes the request back. Safe to repeat.
    /// </summary>
    public async Task CancelAsync(string batch)
    {
        if (await FindAsync(batch).ConfigureAwait(false) is null)
            return;
        await SetAsync(batch, "cancelled").ConfigureAwait(false);
        foreach (var partition in await PartitionsOfAsync(batch).ConfigureAwait(false))
            await partition.StopAsync(batch).ConfigureAwait(false);
    }

    /// <summary>Notes that results of a batch are a simulator's. Safe to repeat.</summary>
    public async Task MarkSimulatedAsync(string batch)
    {
        if (await FindAsync(batch).ConfigureAwait(false) is { Simulated: false })
            await SetAsync(batch, "simulated").ConfigureAwait(false);
    }

    /// <summary>Notes that a batch has no results of a simulator any more. Safe to repeat.</summary>
    public Task ClearSimulatedAsync(string batch) => _redis.Commands.HashDeleteAsync(QueueKeys.WholeBatch(_options.KeyPrefix, batch), "simulated");

    /// <summary>
    /// Takes rows of a batch off a shared queue, for a run that continues in its private queue what an earlier version of the program had submitted there. Leases of
    /// workers that are gone are reclaimed first. Safe to repeat.
    /// </summary>
    /// <param name="queue">The shared queue.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="ids">The rows' jobs.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>Which of them a worker runs now: these were left alone.</returns>
    public async Task<IReadOnlySet<string>> WithdrawAsync(string queue, string batch, IReadOnlyList<string> ids, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var running = new HashSet<string>();
        var partitions = await _queue.PartitionsAsync(queue).ConfigureAwait(false);
        foreach (var group in ids.GroupBy(id => Names.PartitionOf(id, partitions.Count)))
        {
            await partitions[group.Key].ReclaimAsync(cancellationToken).ConfigureAwait(false);
            foreach (var part in group.Chunk(RowsPerRevoke))
            {
                var codes = await partitions[group.Key].WithdrawRowsAsync(batch, part).ConfigureAwait(false);
                running.UnionWith(part.Where((_, n) => codes[n] == 2));
            }
        }

        return running;
    }

    /// <summary>A batch with rows that run again is not one that was asked to stop.</summary>
    internal Task TakeBackCancelAsync(string batch) =>
        _redis.Commands.HashDeleteAsync(QueueKeys.WholeBatch(_options.KeyPrefix, batch), "cancelled");

    /// <summary>The rows of a batch that have ended with an error or past their deadline, in the order of their numbers.</summary>
    public async Task<IReadOnlyList<(string Id, int Row)>> FailedAsync(string batch)
    {
        var rows = new List<int>();
        foreach (var partition in await PartitionsOfAsync(batch).ConfigureAwait(false))
            rows.AddRange(await EndedRows.ReadAsync(_redis.Commands, partition.Keys.Ended(batch), EndState.Expired).ConfigureAwait(false));
        return [.. rows.Distinct().Order().Select(row => (RowId.Of(batch, row), row))];
    }

    /// <summary>Counts completed rows as failed: their completions turned out to be none. Safe to repeat.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="rows">Ids and rows.</param>
    /// <returns>How many were counted as completed.</returns>
    public async Task<int> RevokeAsync(BatchInfo batch, IReadOnlyList<(string Id, int Row)> rows)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(rows);
        var revoked = 0;
        foreach (var queue in batch.Queues)
        {
            // A row is in one partition of one queue; elsewhere its bits are 0.
            var partitions = await _queue.PartitionsAsync(queue).ConfigureAwait(false);
            foreach (var group in rows.GroupBy(row => Names.PartitionOf(row.Id, partitions.Count)))
            {
                var keys = partitions[group.Key].Keys;
                foreach (var part in group.Chunk(RowsPerRevoke))
                {
                    revoked += (int)await QueueScripts.Revoke.RunAsync(
                        _redis.Commands, [keys.Batch(batch.Id), keys.Ended(batch.Id)],
                        [.. part.Select(row => (RedisValue)row.Row)]).ConfigureAwait(false);
                }
            }
        }

        return revoked;
    }

    /// <summary>How rows of a batch have ended, in their order; null for those that have not.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="first">The first row, from 1.</param>
    /// <param name="count">How many.</param>
    public async Task<IReadOnlyList<EndState?>> EndedAsync(BatchInfo batch, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var partitions = new List<QueuePartition>();
        foreach (var queue in batch.Queues)
            partitions.AddRange(await _queue.PartitionsAsync(queue).ConfigureAwait(false));
        // A row is in one partition of one queue; elsewhere its bits are 0.
        var maps = await Task.WhenAll(partitions.Select(p => EndedRows.ReadAsync(_redis.Commands, p.Keys.Ended(batch.Id), first, count))).ConfigureAwait(false);
        return [.. Enumerable.Range(0, count).Select(n => maps.Select(map => map[n]).FirstOrDefault(state => state is not null))];
    }

    /// <summary>Follows the ends of a batch's jobs, in every partition of <paramref name="queues"/>, from the first on.</summary>
    public async Task<BatchFollower> FollowAsync(string batch, IEnumerable<string> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        var partitions = new List<QueuePartition>();
        foreach (var queue in queues)
            partitions.AddRange(await _queue.PartitionsAsync(queue).ConfigureAwait(false));
        return new BatchFollower(_redis, batch, partitions);
    }

    /// <summary>Removes the counts of a batch, the private queues of its run, and what it is. Its dead letters and results are for the caller to remove first.</summary>
    internal async Task RemoveAsync(BatchInfo batch)
    {
        foreach (var partition in await PartitionsOfAsync(batch.Id).ConfigureAwait(false))
            await _redis.Commands.KeyDeleteAsync([partition.Keys.Batch(batch.Id), partition.Keys.Ended(batch.Id), partition.Keys.Finished(batch.Id)]).ConfigureAwait(false);
        foreach (var queue in batch.Queues.Where(PrivateQueue.Is))
            await _queue.Private.RetireAsync(queue).ConfigureAwait(false);
        await _redis.Commands.SortedSetRemoveAsync(QueueKeys.AllBatches(_options.KeyPrefix), batch.Id).ConfigureAwait(false);
        await _redis.Commands.KeyDeleteAsync(QueueKeys.WholeBatch(_options.KeyPrefix, batch.Id)).ConfigureAwait(false);
    }

    /// <summary>Keeps how many rows a batch had before its counts are lowered: what is gone stays known.</summary>
    internal async Task KeepSubmittedAsync(string batch)
    {
        var expected = (await ProgressAsync(batch).ConfigureAwait(false)).Expected;
        if (await FindAsync(batch).ConfigureAwait(false) is { } info && info.Submitted < expected)
            await SetAsync(batch, "submitted", expected).ConfigureAwait(false);
    }

    private Task<RedisResult> SetAsync(string batch, string field, long value = 1) => QueueScripts.SaveBatch.RunAsync(
        _redis.Commands, [QueueKeys.WholeBatch(_options.KeyPrefix, batch)], [(long)_options.BatchTtl.TotalSeconds, field, value]);

    private async Task<IReadOnlyList<QueuePartition>> PartitionsOfAsync(string batch)
    {
        var partitions = new List<QueuePartition>();
        foreach (var queue in (await FindAsync(batch).ConfigureAwait(false))?.Queues ?? [])
            partitions.AddRange(await _queue.PartitionsAsync(queue).ConfigureAwait(false));
        return partitions;
    }

    /// <summary>
    /// The ids of a batch's jobs as they end, until the batch is sealed and all have ended. A job that is redriven comes again when it ends again.
    /// </summary>
    /// <param name="batch">The batch; unknown ones have no ids.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async IAsyncEnumerable<string> EndedAsync(string batch, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (await FindAsync(batch).ConfigureAwait(false) is not { } info)
            yield break;
        var follower = await FollowAsync(batch, info.Queues).ConfigureAwait(false);
        var poll = new BatchPoll(_time);
        while (true)
        {
            var isSealed = info.Sealed || (info = await FindAsync(batch).ConfigureAwait(false)) is not { Sealed: false };
            var ids = await follower.ReadAsync().ConfigureAwait(false);
            foreach (var id in ids)
                yield return id;
            if (info is null || (ids.Count == 0 && isSealed && follower.Progress.Ended >= Math.Max(info.Rows, follower.Progress.Expected)))
                yield break;
            if (ids.Count == 0)
                await poll.WaitAsync(false, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs failed jobs of a batch again; their error results are for the caller to remove first, so that waiting works.</summary>
    /// <param name="queue">The queue of the jobs.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="jobs">Ids and rows.</param>
    /// <returns>For each job whether it waits again; false: it is not among the dead.</returns>
    public async Task<IReadOnlyList<bool>> RedriveAsync(string queue, string batch, IReadOnlyList<(string Id, int Row)> jobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        var partitions = await _queue.PartitionsAsync(queue).ConfigureAwait(false);
        var answers = new bool[jobs.Count];
        foreach (var group in Enumerable.Range(0, jobs.Count).GroupBy(n => Names.PartitionOf(jobs[n].Id, partitions.Count)))
        {
            foreach (var part in group.Chunk(500))
            {
                var redriven = await partitions[group.Key].RedriveAsync(batch, [.. part.Select(n => jobs[n])]).ConfigureAwait(false);
                for (var n = 0; n < part.Length; n++)
                    answers[part[n]] = redriven[n];
            }
        }

        if (answers.Contains(true))
        {
            await _queue.ServeAgainAsync(queue).ConfigureAwait(false);
            await TakeBackCancelAsync(batch).ConfigureAwait(false);
        }

        return answers;
    }
}
