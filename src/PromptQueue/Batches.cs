using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>A batch as a whole.</summary>
public sealed record BatchInfo
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>How many rows it has; 0 while that is not known.</summary>
    public int Rows { get; init; }

    /// <summary>The queues that its jobs lie in.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>Where it is sent to, for people; no secrets.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>When it was created.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>True when all its rows are enqueued.</summary>
    public bool Sealed { get; init; }
}

/// <summary>Jobs that were submitted together: their progress, and their ids as they end.</summary>
public sealed class Batches
{
    private readonly RedisConnections _redis;
    private readonly PromptQueueOptions _options;
    private readonly PromptQueue _queue;

    internal Batches(RedisConnections redis, PromptQueueOptions options, PromptQueue queue)
    {
        _redis = redis;
        _options = options;
        _queue = queue;
    }

    /// <summary>Writes down what a batch is. Safe to repeat.</summary>
    public Task SaveAsync(BatchInfo batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return QueueScripts.SaveBatch.RunAsync(_redis.Commands, [QueueKeys.WholeBatch(_options.KeyPrefix, batch.Id)], [
            (long)_options.BatchTtl.TotalSeconds,
            "rows", batch.Rows,
            "queues", string.Join('\n', batch.Queues),
            "endpoint", batch.Endpoint,
            "created", batch.Created.ToUnixTimeMilliseconds(),
            "sealed", batch.Sealed ? 1 : 0,
        ]);
    }

    /// <summary>What a batch is; null when there is none of that id, or no longer.</summary>
    public async Task<BatchInfo?> FindAsync(string id)
    {
        var fields = (await _redis.Commands.HashGetAllAsync(QueueKeys.WholeBatch(_options.KeyPrefix, id)).ConfigureAwait(false)).ToStringDictionary();
        if (fields.Count == 0)
            return null;
        return new BatchInfo
        {
            Id = id,
            Rows = int.Parse(fields["rows"], CultureInfo.InvariantCulture),
            Queues = fields["queues"].Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Endpoint = fields["endpoint"],
            Created = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(fields["created"], CultureInfo.InvariantCulture)),
            Sealed = fields["sealed"] == "1",
        };
    }

    /// <summary>Follows the ends of a batch's jobs, in every partition of <paramref name="queues"/>, from the first on.</summary>
    public async Task<BatchFollower> FollowAsync(string batch, IEnumerable<string> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        var partitions = new List<QueuePartition>();
        foreach (var queue in queues)
            partitions.AddRange(await _queue.PartitionsAsync(queue).ConfigureAwait(false));
        return new BatchFollower(batch, partitions);
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

        return answers;
    }
}
