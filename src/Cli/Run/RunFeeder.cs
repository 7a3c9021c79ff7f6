namespace LlmPipeline;

/// <summary>Reads the input's rows and enqueues those that have no answer yet.</summary>
internal sealed class RunFeeder(
    RunPlan plan, PromptQueue queue, ResultStore results, OutputFile output, RunWindow window, RunCollector collector, RunRedis redis)
{
    private const int RowsPerCall = 500;
    private const int BytesPerCall = 4 * 1024 * 1024;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var jobs = new List<Job>();
        var bytes = 0L;
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (output.IsDone(row.Number))
                continue;
            var job = plan.ToJob(row, output.BatchId);
            jobs.Add(job);
            bytes += Size(job);
            if (jobs.Count < RowsPerCall && bytes < BytesPerCall)
                continue;
            await SubmitAsync(jobs, cancellationToken).ConfigureAwait(false);
            jobs.Clear();
            bytes = 0;
        }

        if (jobs.Count > 0)
            await SubmitAsync(jobs, cancellationToken).ConfigureAwait(false);
    }

    private async Task SubmitAsync(List<Job> jobs, CancellationToken cancellationToken)
    {
        // An old error must be gone before the collector can take it for this run's.
        if (plan.Options.RetryFailed && redis.IsShared)
            await redis.AnsweredAsync(() => results.ForgetErrorsAsync([.. jobs.Select(j => j.Id)]), cancellationToken).ConfigureAwait(false);
        await window.AddAsync([.. jobs.Select(j => (j.Row, Size(j)))], cancellationToken).ConfigureAwait(false);
        var outcomes = await redis.AnsweredAsync(() => queue.EnqueueAsync(jobs, cancellationToken: cancellationToken), cancellationToken).ConfigureAwait(false);
        var ended = jobs.Where((_, n) => outcomes[n] == EnqueueOutcome.Ended).ToList();
        if (ended.Count == 0)
            return;
        var statuses = await redis.AnsweredAsync(() => results.StatusesAsync([.. ended.Select(j => j.Id)]), cancellationToken).ConfigureAwait(false);
        var gone = ended.Where((_, n) => statuses[n] is null).ToList();
        if (gone.Count > 0)
            await RunAgainAsync(gone, cancellationToken).ConfigureAwait(false);
        await collector.TakeAsync([.. ended.Except(gone).Select(j => j.Id)], cancellationToken).ConfigureAwait(false);
    }

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

    private static int Size(Job job) => job.Work switch
    {
        RequestWork request => request.Body.Length,
        PromptWork prompt => prompt.Variables.Sum(v => v.Key.Length + v.Value.Length),
        _ => 0,
    };
}
