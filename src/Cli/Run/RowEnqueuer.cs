namespace LlmPipeline;

/// <summary>
/// Puts the rows of a plan on the queue, so that each of them either waits or has a result: what <c>run</c> and <c>submit</c> have in common.
/// Safe to repeat from the start, wherever it was cut off.
/// </summary>
internal sealed class RowEnqueuer(PromptQueue queue, ResultStore results, RunRedis redis, TimeProvider time)
{
    /// <summary>Lets others on the same Redis know what a batch is, and how to render it.</summary>
    /// <returns>What stands there now.</returns>
    public async Task<BatchInfo> AnnounceAsync(RunPlan plan, string batch, CancellationToken cancellationToken)
    {
        var known = await redis.AnsweredAsync(() => queue.Batches.FindAsync(batch), cancellationToken).ConfigureAwait(false);
        // Once sealed, all its rows are known to the queue: a repeated submit, or a run of the first rows, doesn't take that back. A run of more rows does.
        var info = plan.Info(batch, known?.Created ?? time.GetUtcNow(), known is { Sealed: true } && known.Rows >= plan.Rows) with { Cancelled = known?.Cancelled ?? false };
        if (info.Sealed)
            info = info with { Rows = known!.Rows };
        if (plan.Function is { } function)
            await DoneAsync(() => queue.SavePromptAsync(function.Sha, function.Name, function.Files), cancellationToken).ConfigureAwait(false);
        await DoneAsync(() => queue.Batches.SaveAsync(info), cancellationToken).ConfigureAwait(false);
        return info;
    }

    /// <summary>Says that all rows of a batch are on the queue.</summary>
    public Task SealAsync(BatchInfo batch, CancellationToken cancellationToken) =>
        DoneAsync(() => queue.Batches.SaveAsync(batch with { Sealed = true }), cancellationToken);

    /// <summary>Removes the error results of rows that are to run again: an old error must be gone before anybody can take it for the new run's.</summary>
    public Task ForgetErrorsAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken) =>
        redis.AnsweredAsync(() => results.ForgetErrorsAsync([.. jobs.Select(j => j.Id)]), cancellationToken);

    /// <summary>
    /// Makes errors of completions on this Redis that hold no answer, as earlier versions stored them; where that is broken off they are
    /// found again.
    /// </summary>
    public async Task RevokeUnansweredAsync(BatchInfo batch, IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        await foreach (var result in results.ReadAsync([.. jobs.Select(job => job.Id)], cancellationToken).ConfigureAwait(false))
        {
            if (result is not { Status: ResultStatus.Completed } || StoredAnswer.Fault(result.Response) is not { } fault)
                continue;
            var row = jobs.First(job => job.Id == result.JobId).Row;
            // The counts first: where it is broken off between the two, the completion is still there to be found.
            await redis.AnsweredAsync(() => queue.Batches.RevokeAsync(batch, [(result.JobId, row)]), cancellationToken).ConfigureAwait(false);
            await redis.AnsweredAsync(
                () => results.RevokeAsync(result, new ResultError("invalid_response", fault)), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Enqueues rows; those that have ended and lost their results run again.</summary>
    /// <returns>What became of each row, in their order. Those that have ended have a result.</returns>
    /// <exception cref="CliException">A row is larger than the queue takes, with what goes around it; none of these was enqueued.</exception>
    public async Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        EnqueueOutcome[] outcomes;
        try
        {
            outcomes = [.. await redis.AnsweredAsync(() => queue.EnqueueAsync(jobs, cancellationToken: cancellationToken), cancellationToken).ConfigureAwait(false)];
        }
        catch (JobTooLargeException e)
        {
            throw CliException.Broke($"row {e.Job.CustomId}: {e.Message}; what is done is kept, and the same command again goes on");
        }

        var ended = Enumerable.Range(0, jobs.Count).Where(n => outcomes[n] == EnqueueOutcome.Ended).ToList();
        if (ended.Count == 0)
            return outcomes;
        var statuses = await redis.AnsweredAsync(() => results.StatusesAsync([.. ended.Select(n => jobs[n].Id)]), cancellationToken).ConfigureAwait(false);
        var gone = ended.Where((_, i) => statuses[i] is null).ToList();
        if (gone.Count > 0)
            await RunAgainAsync([.. gone.Select(n => jobs[n])], cancellationToken).ConfigureAwait(false);
        foreach (var n in gone)
            outcomes[n] = EnqueueOutcome.Added;
        return outcomes;
    }

    private Task DoneAsync(Func<Task> call, CancellationToken cancellationToken) => redis.AnsweredAsync(
        async () =>
        {
            await call().ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    /// <summary>Ended, but without a result: it has expired, or was an error that is not wanted any more.</summary>
    private async Task RunAgainAsync(List<Job> jobs, CancellationToken cancellationToken)
    {
        var missing = new List<Job>();
        foreach (var group in jobs.GroupBy(j => j.Queue))
        {
            var own = group.ToList();
            var redriven = await redis.AnsweredAsync(
                () => queue.Batches.RedriveAsync(group.Key, own[0].Batch!, [.. own.Select(j => (j.Id, j.Row))]), cancellationToken).ConfigureAwait(false);
            missing.AddRange(own.Where((_, n) => !redriven[n]));
        }

        if (missing.Count > 0)
            await redis.AnsweredAsync(() => queue.EnqueueAsync(missing, rerunEnded: true, cancellationToken), cancellationToken).ConfigureAwait(false);
    }
}
