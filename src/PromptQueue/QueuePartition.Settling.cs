using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Ending claims.</summary>
public sealed partial class QueuePartition
{
    /// <summary>Ends claims whose result stands.</summary>
    public Task<IReadOnlyList<SettleOutcome>> CompleteAsync(IReadOnlyList<(ClaimedJob Job, EndState State)> ended)
    {
        ArgumentNullException.ThrowIfNull(ended);
        return InStepsAsync(ended, step =>
        {
            var batches = new BatchKeys(_keys, step.Select(e => e.Job.Job.Batch));
            var arguments = new RedisValue[1 + (6 * step.Count)];
            arguments[0] = (long)_options.BatchTtl.TotalSeconds;
            var at = 1;
            foreach (var (job, state) in step)
            {
                (arguments[at], arguments[at + 1], arguments[at + 2]) = (job.Job.Id, job.Token, (int)state);
                (arguments[at + 3], arguments[at + 4], arguments[at + 5]) = (batches.IndexOf(job.Job.Batch), job.Job.Row, JobCost.Encode(job.Costs));
                at += 6;
            }

            return SettleAsync(
                QueueScripts.Complete, [_keys.Meta, _keys.Jobs, _keys.Inflight, _keys.Leases, _keys.Dead, _keys.Cancel, _keys.Stopped, _keys.Deadlines, _keys.Spent, .. batches.Keys], arguments);
        });
    }

    /// <summary>Ends claims whose error stands: the jobs become dead letters.</summary>
    public Task<IReadOnlyList<SettleOutcome>> BuryAsync(IReadOnlyList<ClaimedJob> jobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        return BuryAsync([.. jobs.Select(j => (j.Job.Id, j.Token, j.Job.Batch, j.Job.Row, JobCost.Encode(j.Costs)))]);
    }

    /// <summary>Ends claims of jobs that cannot be read, once their errors stand: they become dead letters, and are counted where their ids name a batch.</summary>
    public async Task<IReadOnlyList<SettleOutcome>> BuryUnreadableAsync(IReadOnlyList<UnreadableJob> jobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        var rows = new List<(string Id, string Token, string? Batch, int Row, string Costs)>(jobs.Count);
        foreach (var job in jobs)
        {
            // A single job may be called "a.1" as well: only a batch that is there is counted.
            var known = job.FromId() is { } named && await _redis.Commands.KeyExistsAsync(_keys.Batch(named.Batch)).ConfigureAwait(false);
            rows.Add((job.Id, job.Token, known ? job.FromId()?.Batch : null, known ? job.FromId()?.Row ?? 0 : 0, ""));
        }

        return await BuryAsync(rows).ConfigureAwait(false);
    }

    /// <summary>Ends claims for now: the jobs wait for another try.</summary>
    /// <param name="jobs">The claims, the attempts charged so far, and how long to wait.</param>
    public Task<IReadOnlyList<SettleOutcome>> RetryAsync(IReadOnlyList<(ClaimedJob Job, int Attempts, TimeSpan Delay)> jobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        return InStepsAsync(jobs, step =>
        {
            // Only what has cost something needs its batch.
            var batches = new BatchKeys(_keys, step.Select(j => Paid(j.Job)));
            return SettleAsync(
                QueueScripts.Retry,
                [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Delayed, _keys.Inflight, _keys.Leases, _keys.Dead, _keys.Cancel, _keys.Stopped, _keys.Spent, .. batches.Keys],
                [_keys.Wake, _redis.PublishVerb, (long)_options.BatchTtl.TotalSeconds, .. step.SelectMany(j => new RedisValue[]
                {
                    j.Job.Job.Id, j.Job.Token, j.Attempts, (long)Math.Ceiling(j.Delay.TotalMilliseconds), (int)j.Job.Job.Lane + 1, j.Job.Job.Batch ?? "",
                    batches.IndexOf(Paid(j.Job)), JobCost.Encode(j.Job.Costs),
                })]);
        });

        static string? Paid(ClaimedJob job) => job.Costs.Count > 0 ? job.Job.Batch : null;
    }

    /// <summary>Gives claimed jobs back as they were, no attempt charged.</summary>
    public Task<IReadOnlyList<SettleOutcome>> ReleaseAsync(IReadOnlyList<ClaimedJob> jobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        return InStepsAsync(jobs, step => SettleAsync(
            QueueScripts.Release, [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Inflight, _keys.Leases, _keys.Dead],
            [_keys.Wake, _redis.PublishVerb, .. step.SelectMany(j => new RedisValue[] { j.Job.Id, j.Token, (int)j.Job.Lane + 1 })]));
    }

    private Task<IReadOnlyList<SettleOutcome>> BuryAsync(IReadOnlyList<(string Id, string Token, string? Batch, int Row, string Costs)> jobs) =>
        InStepsAsync(jobs, step =>
        {
            var batches = new BatchKeys(_keys, step.Select(j => j.Batch));
            return SettleAsync(
                QueueScripts.Bury, [_keys.Meta, _keys.Jobs, _keys.Inflight, _keys.Leases, _keys.Dead, _keys.Cancel, _keys.Stopped, _keys.Spent, .. batches.Keys],
                [
                    (long)_options.BatchTtl.TotalSeconds, Math.Max(1, _options.MaxDead / _partitions), (long)_options.MaxDeadAge.TotalMilliseconds,
                    .. step.SelectMany(j => new RedisValue[] { j.Id, j.Token, batches.IndexOf(j.Batch), j.Row, j.Costs }),
                ]);
        });

    private async Task<IReadOnlyList<SettleOutcome>> SettleAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments)
    {
        var answer = await RunAsync(script, _redis.Commands, keys, arguments).ConfigureAwait(false);
        var outcomes = new SettleOutcome[answer.Length - 1];
        for (var n = 0; n < outcomes.Length; n++)
            outcomes[n] = (int)answer[n + 1] switch { 1 => SettleOutcome.Settled, 0 => SettleOutcome.AlreadyEnded, _ => SettleOutcome.SomeoneElses };
        return outcomes;
    }
}
