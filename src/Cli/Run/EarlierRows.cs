namespace LlmPipeline;

/// <summary>
/// Rows of a batch that an earlier version of the program, or its <c>submit</c>, has put on the shared queues of their models: a run
/// takes them off there and into its private
/// queue. Rows that a worker runs at the moment are left to it, and taken when it is gone.
/// </summary>
internal sealed class EarlierRows(BatchInfo batch, PromptQueue queue, ResultStore results, RunRedis redis, TimeProvider time)
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private readonly List<Job> _running = [];

    /// <summary>The rows of such a batch; null for a batch that has only private queues.</summary>
    public static EarlierRows? Of(BatchInfo batch, PromptQueue queue, ResultStore results, RunRedis redis, TimeProvider time) =>
        batch.Queues.All(PrivateQueue.Is) ? null : new EarlierRows(batch, queue, results, redis, time);

    /// <summary>Takes rows off the shared queues.</summary>
    /// <param name="jobs">The rows, as they go to the private queue.</param>
    /// <param name="ended">Gets those that have a result.</param>
    /// <param name="cancellationToken">Ends it between two calls.</param>
    /// <returns>Those that are in no shared queue now, and have no result.</returns>
    public async Task<IReadOnlyList<Job>> WithdrawAsync(IReadOnlyList<Job> jobs, Func<IReadOnlyList<int>, Task> ended,
        CancellationToken cancellationToken)
    {
        var running = new HashSet<string>();
        foreach (var model in jobs.GroupBy(job => job.Model).Where(model => batch.Queues.Contains(model.Key, StringComparer.Ordinal)))
        {
            running.UnionWith(await redis.AnsweredAsync(
                () => queue.Batches.WithdrawAsync(model.Key, batch.Id, [.. model.Select(job => job.Id)], cancellationToken),
                    cancellationToken).ConfigureAwait(false));
        }

        lock (_lock)
            _running.AddRange(jobs.Where(job => running.Contains(job.Id)));
        // Results after the queues: a row that is in no queue has ended before.
        var statuses = await redis.AnsweredAsync(() => results.StatusesAsync([.. jobs.Select(job => job.Id)]),
            cancellationToken).ConfigureAwait(false);
        var done = jobs.Where((_, n) => statuses[n] is not null).ToList();
        if (done.Count > 0)
            await ended([.. done.Select(job => job.Row)]).ConfigureAwait(false);
        return [.. jobs.Where((job, n) => statuses[n] is null && !running.Contains(job.Id))];
    }

    /// <summary>Takes the rows that workers ran, as these end them or are gone. Ends when it is cancelled.</summary>
    public async Task FollowAsync(RunFeeder feeder, RunCollector collector, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(Poll, time, cancellationToken).ConfigureAwait(false);
            List<Job> jobs;
            lock (_lock)
            {
                jobs = [.. _running];
                _running.Clear();
            }

            foreach (var group in jobs.Chunk(JobGroups.MaxJobs))
                await feeder.EnqueueAsync(await WithdrawAsync(group, rows => collector.TakeAsync(rows, cancellationToken),
                    cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        }
    }
}
