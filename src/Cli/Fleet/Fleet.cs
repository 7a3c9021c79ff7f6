namespace LlmPipeline;

/// <summary>The Redis of a fleet, with its queue and its results.</summary>
internal sealed class Fleet(RunRedis redis, PromptQueue queue, ResultStore results, TimeProvider time) : IAsyncDisposable
{
    public RunRedis Redis => redis;

    public PromptQueue Queue => queue;

    public ResultStore Results => results;

    public TimeProvider Time => time;

    /// <summary>What the workers report of their deployments.</summary>
    public DeploymentReports Deployments { get; } = new(redis.Connections, queue.Options.KeyPrefix, time);

    /// <summary>The end points, for messages.</summary>
    public string Name => redis.Connections.Name;

    /// <summary>Repeats a call until Redis answers it.</summary>
    public Task<T> AnsweredAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) => redis.AnsweredAsync(call, cancellationToken);

    /// <summary>The shared queues that exist, retired ones included, or the one that was named.</summary>
    /// <exception cref="CliException">There is none of that name.</exception>
    public async Task<IReadOnlyList<string>> QueuesAsync(string? named, CancellationToken cancellationToken)
    {
        // One may be registered again between the two.
        var retired = await AnsweredAsync(queue.RetiredQueuesAsync, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<string> queues = [.. (await AnsweredAsync(queue.QueuesAsync, cancellationToken).ConfigureAwait(false)).Union(retired).Order(StringComparer.Ordinal)];
        if (named is null)
            return queues;
        return queues.Contains(named, StringComparer.Ordinal) ? [named]
            : queues.Count == 0 ? throw CliException.Broke($"there is no queue {named} on Redis at {Name}, nor any other")
            : throw CliException.Broke($"there is no queue {named} on Redis at {Name}; there are {string.Join(", ", queues)}");
    }

    /// <summary>The batch of an id or a name.</summary>
    /// <exception cref="CliException">There is no such batch, or several have the name.</exception>
    public async Task<BatchInfo> BatchAsync(string id, CancellationToken cancellationToken) =>
        await BatchNames.FindAsync(this, id, cancellationToken).ConfigureAwait(false)
        ?? throw CliException.Broke($"there is no batch {id} on Redis at {Name}: it never existed, or its {queue.Options.BatchTtl.TotalDays:0.#} days are over");

    public Task<BatchInfo?> FindBatchAsync(string id, CancellationToken cancellationToken) =>
        Names.Fault(id) is { } fault ? throw CliException.Usage($"'{id}' {fault}: it is no id") : AnsweredAsync(() => queue.Batches.FindAsync(id), cancellationToken);

    /// <summary>Where a job is that has not ended, or is dead; null when it is in no queue.</summary>
    public async Task<JobPlace?> FindJobAsync(string id, CancellationToken cancellationToken)
    {
        if (Names.Fault(id) is { } fault)
            throw CliException.Usage($"'{id}' {fault}: it is no id");
        // A row of a run is in its batch's private queue.
        var own = await BatchOfJobAsync(id, cancellationToken).ConfigureAwait(false) is { } row ? row.Batch.Queues : [];
        foreach (var name in own.Union(await QueuesAsync(null, cancellationToken).ConfigureAwait(false)))
        {
            if (await AnsweredAsync(() => queue.FindAsync(name, id), cancellationToken).ConfigureAwait(false) is { } place)
                return place;
        }

        return null;
    }

    /// <summary>The batch that a job's id names, with its row; null when there is none.</summary>
    public async Task<(BatchInfo Batch, int Row)?> BatchOfJobAsync(string jobId, CancellationToken cancellationToken)
    {
        if (RowId.Parse(jobId) is not { } row)
            return null;
        return await FindBatchAsync(row.Batch, cancellationToken).ConfigureAwait(false) is { } batch && row.Row <= batch.Rows ? (batch, row.Row) : null;
    }

    /// <summary>Reads the results of a batch.</summary>
    public BatchReader Reader(BatchInfo batch) => new(queue, results, batch, time, redis.Logger);

    public ValueTask DisposeAsync() => redis.DisposeAsync();
}
