using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Puts the rows of a batch on their queues, so that each of them either waits or has a result. Safe to repeat from the start, wherever
/// it was cut off, and by
/// several processes. A Redis that is away is waited for.
/// </summary>
/// <param name="queue">The queue.</param>
/// <param name="results">The results.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets a line when Redis is away; null for none.</param>
public sealed class BatchSubmitter(PromptQueue queue, ResultStore results, TimeProvider time, ILogger? logger = null)
{
    // One is read and packed while Redis works on the other.
    private const int GroupsAtOnce = 2;

    private BatchInfo? _announced;

    /// <summary>What happens where a queue is full. Default: it waits.</summary>
    public WhenFull WhenFull { get; init; }

    /// <summary>Asked before each call to Redis whether to go on; null for always.</summary>
    public Func<Task<bool>>? IsWanted { get; init; }

    /// <summary>Whether rows run again that failed, expired or were cancelled. Default: no.</summary>
    public bool RerunErrors { get; init; }

    /// <summary>Whether rows run again whose result is a simulator's. Default: no.</summary>
    public bool ReplaceSimulated { get; init; }

    /// <summary>
    /// Why the body of a stored completion holds no answer; null: it holds one. Rows of completions without an answer, as earlier versions
    /// stored them, run again. Default: none is looked at.
    /// </summary>
    public Func<ReadOnlyMemory<byte>, string?>? AnswerFault { get; init; }

    /// <summary>
    /// Saves what the batch is, for others on the same Redis. What is known of it already stays: its creation, its queues, a seal of at
    /// least as many rows.
    /// </summary>
    /// <returns>What is saved now.</returns>
    public async Task<BatchInfo> AnnounceAsync(BatchInfo batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var known = await AnsweredAsync(() => queue.Batches.FindAsync(batch.Id), cancellationToken).ConfigureAwait(false);
        // Once sealed, all its rows are known to the queue: a repeated submission, or one of the first rows, does not take that back. One
        // of more rows does.
        var isSealed = known is { Sealed: true } && known.Rows >= batch.Rows;
        var info = batch with
        {
            Name = batch.Name ?? known?.Name,
            Rows = isSealed ? known!.Rows : batch.Rows,
            Queues = [.. batch.Queues.Union(known?.Queues ?? [])],
            Models = [.. batch.Models.Union(known?.Models ?? [])],
            Created = known?.Created ?? (batch.Created == default ? time.GetUtcNow() : batch.Created),
            Sealed = isSealed,
            Submitted = Math.Max(batch.Submitted, known?.Submitted ?? 0),
            Cancelled = known?.Cancelled ?? false,
            Simulated = known?.Simulated ?? false,
        };
        await DoneAsync(() => queue.Batches.SaveAsync(info), cancellationToken).ConfigureAwait(false);
        if (info.Simulated && ReplaceSimulated)
            await DoneAsync(() => queue.Batches.ClearSimulatedAsync(batch.Id), cancellationToken).ConfigureAwait(false);
        return _announced = info;
    }

    /// <summary>Saves that all rows of a batch are on the queue.</summary>
    public Task SealAsync(BatchInfo batch, CancellationToken cancellationToken = default) =>
        DoneAsync(() => queue.Batches.SaveAsync(batch with { Sealed = true }), cancellationToken);

    /// <summary>Announces a batch, enqueues its rows and seals it.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="jobs">Its rows; some 1,000 of them, or 8 MiB, are in memory at a time.</param>
    /// <param name="cancellationToken">Ends it between two calls; rows before that are enqueued.</param>
    /// <returns>What became of the rows; null when it was no longer wanted.</returns>
    /// <exception cref="BatchFullException">A queue is full, and <see cref="WhenFull"/> says so.</exception>
    /// <exception cref="JobTooLargeException">A row is larger than the queue takes; rows before it are enqueued.</exception>
    public async Task<SubmittedRows?> SubmitAsync(
        BatchInfo batch, IAsyncEnumerable<Job> jobs, CancellationToken cancellationToken = default)
    {
        var info = await AnnounceAsync(batch, cancellationToken).ConfigureAwait(false);
        var counts = new int[Enum.GetValues<EnqueueOutcome>().Length];
        // Where a queue can be full, a later group would take the room of an earlier one, and the count of rows would be wrong.
        var atOnce = queue.Options.MaxWaiting is null ? GroupsAtOnce : 1;
        var groups = Pipelining.InOrderAsync(JobGroups.OfAsync(jobs), atOnce, EnqueueGroupAsync, cancellationToken);
        await foreach (var outcomes in groups.ConfigureAwait(false))
        {
            if (outcomes is null)
                return null;
            foreach (var outcome in outcomes)
                counts[(int)outcome]++;
            if (counts[(int)EnqueueOutcome.Full] > 0)
                throw new BatchFullException(batch.Id, counts.Sum() - counts[(int)EnqueueOutcome.Full]);
        }

        await SealAsync(info with { Submitted = Math.Max(info.Submitted, counts.Sum()) }, cancellationToken).ConfigureAwait(false);
        return new SubmittedRows(counts[(int)EnqueueOutcome.Added], counts[(int)EnqueueOutcome.AlreadyThere],
            counts[(int)EnqueueOutcome.Ended]);

        async Task<IReadOnlyList<EnqueueOutcome>?> EnqueueGroupAsync(IReadOnlyList<Job> group)
        {
            await PrepareAsync(group, cancellationToken).ConfigureAwait(false);
            return await EnqueueAsync(group, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Removes the results of rows of the announced batch that are to run again, as <see cref="RerunErrors"/>,
    /// <see cref="ReplaceSimulated"/> and <see cref="AnswerFault"/> say: an old one must be gone before anybody can take it for the new
    /// one. <see cref="SubmitAsync"/> does this itself.
    /// </summary>
    public async Task PrepareAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        if (ReplaceSimulated || AnswerFault is not null)
            await RemoveAsync(jobs, cancellationToken).ConfigureAwait(false);
        if (RerunErrors)
            await AnsweredAsync(() => results.ForgetErrorsAsync([.. jobs.Select(job => job.Id)]), cancellationToken).ConfigureAwait(false);
    }

    private async Task RemoveAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        var simulated = new List<string>();
        var rows = jobs.ToDictionary(job => job.Id, job => job.Row);
        await foreach (var result in results.ReadAsync([.. rows.Keys], cancellationToken).ConfigureAwait(false))
        {
            if (result is null)
                continue;
            if (ReplaceSimulated && result.Meta.Flags.HasFlag(AnswerFlags.Simulated))
                simulated.Add(result.JobId);
            else if (result.Status == ResultStatus.Completed && AnswerFault?.Invoke(result.Response) is { } fault)
                await RevokeAsync(result, rows[result.JobId], fault, cancellationToken).ConfigureAwait(false);
        }

        if (simulated.Count > 0)
            await DoneAsync(() => results.DeleteAsync(simulated), cancellationToken).ConfigureAwait(false);
    }

    // The counts first: where it is broken off between the two, the completion is still there to be found.
    private async Task RevokeAsync(JobResult completion, int row, string fault, CancellationToken cancellationToken)
    {
        var batch = _announced ?? throw new InvalidOperationException("The batch is not announced.");
        await AnsweredAsync(() => queue.Batches.RevokeAsync(batch, [(completion.JobId, row)]), cancellationToken).ConfigureAwait(false);
        await AnsweredAsync(
            () => results.RevokeAsync(completion, new ResultError("invalid_response", fault)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Enqueues rows of one batch; those that have ended and lost their results run again.</summary>
    /// <returns>
    /// What became of each row, in their order; those that have ended have a result, and <see cref="EnqueueOutcome.Full"/> is answered
    /// only with
    /// <see cref="WhenFull.Throw"/>. Null: it was no longer wanted.
    /// </returns>
    /// <exception cref="JobTooLargeException">A row is larger than the queue takes; none of these was enqueued.</exception>
    public async Task<IReadOnlyList<EnqueueOutcome>?> EnqueueAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        var outcomes = new EnqueueOutcome[jobs.Count];
        var poll = new BatchPoll(time);
        for (var left = Enumerable.Range(0, jobs.Count).ToList(); left.Count > 0;)
        {
            if (IsWanted is not null && !await IsWanted().ConfigureAwait(false))
                return null;
            var answer = await EnqueueAsync([.. left.Select(n => jobs[n])], rerun: false, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < left.Count; i++)
                outcomes[left[i]] = answer[i];
            var before = left.Count;
            left = [.. left.Where(n => outcomes[n] == EnqueueOutcome.Full)];
            if (left.Count > 0 && WhenFull == WhenFull.Throw)
                break;
            if (left.Count > 0)
                await poll.WaitAsync(left.Count < before, cancellationToken).ConfigureAwait(false);
        }

        var ended = Enumerable.Range(0, jobs.Count).Where(n => outcomes[n] == EnqueueOutcome.Ended).ToList();
        foreach (var n in await WithoutResultAsync(jobs, ended, cancellationToken).ConfigureAwait(false))
            outcomes[n] = EnqueueOutcome.Added;
        return outcomes;
    }

    /// <summary>Runs rows again that have ended, but have no result: it has expired, or is not wanted any more.</summary>
    /// <returns>Which these were.</returns>
    private async Task<IReadOnlyList<int>> WithoutResultAsync(IReadOnlyList<Job> jobs, List<int> ended, CancellationToken cancellationToken)
    {
        if (ended.Count == 0)
            return [];
        var statuses = await AnsweredAsync(() => results.StatusesAsync([.. ended.Select(n => jobs[n].Id)]),
            cancellationToken).ConfigureAwait(false);
        var gone = ended.Where((_, i) => statuses[i] is null).ToList();
        if (gone.Count > 0)
            await RunAgainAsync([.. gone.Select(n => jobs[n])], cancellationToken).ConfigureAwait(false);
        return gone;
    }

    private async Task RunAgainAsync(List<Job> jobs, CancellationToken cancellationToken)
    {
        var missing = new List<Job>();
        foreach (var group in jobs.GroupBy(job => job.Queue))
        {
            var own = group.ToList();
            var redriven = await AnsweredAsync(
                () => queue.Batches.RedriveAsync(group.Key, own[0].Batch!, [.. own.Select(job => (job.Id, job.Row))]),
                    cancellationToken).ConfigureAwait(false);
            missing.AddRange(own.Where((_, n) => !redriven[n]));
        }

        var poll = new BatchPoll(time);
        while (missing.Count > 0)
        {
            var outcomes = await EnqueueAsync(missing, rerun: true, cancellationToken).ConfigureAwait(false);
            var before = missing.Count;
            missing = [.. missing.Where((_, n) => outcomes[n] == EnqueueOutcome.Full)];
            // Whatever WhenFull says: left out, these rows would count as ended without a result.
            if (missing.Count > 0)
                await poll.WaitAsync(missing.Count < before, cancellationToken).ConfigureAwait(false);
        }
    }

    private Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(IReadOnlyList<Job> jobs, bool rerun, CancellationToken cancellationToken) =>
        AnsweredAsync(() => queue.EnqueueAsync(jobs, rerun, cancellationToken), cancellationToken);

    private Task<T> AnsweredAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) =>
        // As the connection says: one that only adds ends where Redis has no memory.
        RedisRetry.UntilAnsweredAsync(_ => call(), queue.MayPass, time, logger, cancellationToken);

    private Task DoneAsync(Func<Task> call, CancellationToken cancellationToken) => AnsweredAsync(
        () => RedisRetry.DoneAsync(call()),
        cancellationToken);
}
