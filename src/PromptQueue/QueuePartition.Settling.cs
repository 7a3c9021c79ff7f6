using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Ending claims.</summary>
public sealed partial class QueuePartition
{
    // Of the bitmap of ended rows, and what the script reads of it at a time.
    private const int RowsPerByte = 4;
    private const int RowsPerRun = 512 * RowsPerByte;

    /// <summary>Ends claims whose result stands; of each batch in the order of its rows.</summary>
    public Task<IReadOnlyList<SettleOutcome>> CompleteAsync(IReadOnlyList<(ClaimedJob Job, EndState State)> ended)
    {
        ArgumentNullException.ThrowIfNull(ended);
        return ended.Count == 0 ? Task.FromResult<IReadOnlyList<SettleOutcome>>([]) : InStepsAsync(ended, CompleteStepAsync);
    }

    private async Task<IReadOnlyList<SettleOutcome>> CompleteStepAsync(IReadOnlyList<(ClaimedJob Job, EndState State)> step)
    {
        var batches = new BatchKeys(_keys, step.Select(e => e.Job.Job.Batch));
        // Rows that are near each other lie in few bytes, which are read and written as one.
        var places = new (int Batch, int State, int Row)[step.Count];
        var order = new int[step.Count];
        for (var n = 0; n < order.Length; n++)
            (places[n], order[n]) = ((batches.IndexOf(step[n].Job.Job.Batch), (int)step[n].State, step[n].Job.Job.Row), n);
        Array.Sort(places, order);

        var costs = step.Any(e => e.Job.Costs.Count > 0);
        var arguments = new List<RedisValue>(8 + ((costs ? 4 : 3) * order.Length)) { (long)_options.BatchTtl.TotalSeconds, order.Length, costs ? "1" : "0" };
        foreach (var n in order)
            arguments.Add(step[n].Job.Job.Id);
        var (token, fence) = ("", "");
        foreach (var n in order)
        {
            // Jobs of one claim mostly end together.
            if (!ReferenceEquals(token, step[n].Job.Token))
                (token, fence) = (step[n].Job.Token, step[n].Job.Token + "|");
            arguments.Add(fence);
        }

        foreach (var n in order)
            arguments.Add(step[n].Job.Job.Row);
        foreach (var n in costs ? order : [])
            arguments.Add(JobCost.Encode(step[n].Job.Costs));
        for (var (from, to) = (0, 0); from < order.Length; from = to)
        {
            var first = places[from];
            while (to < order.Length && (places[to].Batch, places[to].State, places[to].Row / RowsPerRun) == (first.Batch, first.State, first.Row / RowsPerRun))
                to++;
            arguments.AddRange([to - from, first.State, first.Batch, first.Row / RowsPerByte, places[to - 1].Row / RowsPerByte]);
        }

        var outcomes = await SettleAsync(
            QueueScripts.Complete, [_keys.Meta, _keys.Jobs, _keys.Inflight, _keys.Leases, _keys.Dead, _keys.Cancel, _keys.Stopped, _keys.Deadlines, _keys.Spent, .. batches.Keys],
            [.. arguments]).ConfigureAwait(false);
        var inOrder = new SettleOutcome[order.Length];
        for (var n = 0; n < order.Length; n++)
            inOrder[order[n]] = outcomes[n];
        return inOrder;
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
                    batches.IndexOf(Paid(j.Job)), JobCost.Encode(j.Job.Costs), JobHistory.Encode(j.Job.History),
                })]);
        }, JobsPerLongCall);

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
        }, JobsPerLongCall);

    private async Task<IReadOnlyList<SettleOutcome>> SettleAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments)
    {
        var answer = await RunAsync(script, _redis.Commands, keys, arguments).ConfigureAwait(false);
        var signs = (string)answer[1]!;
        var outcomes = new SettleOutcome[signs.Length];
        for (var n = 0; n < outcomes.Length; n++)
            outcomes[n] = signs[n] switch { '1' => SettleOutcome.Settled, '0' => SettleOutcome.AlreadyEnded, _ => SettleOutcome.SomeoneElses };
        return outcomes;
    }
}
