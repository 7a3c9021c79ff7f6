namespace LlmPipeline;

/// <summary>Reads the input's rows and enqueues those that have no answer yet.</summary>
internal sealed class RunFeeder(
    RunPlan plan, RowEnqueuer enqueuer, OutputFile output, RunWindow window, RunCollector collector, bool isShared, int rowsPerCall, Func<int, bool> isCalled)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var missing = plan.JobsAsync(output.BatchId, row => !output.IsDone(row) && isCalled(row), cancellationToken);
        await foreach (var jobs in JobGroups.OfAsync(missing, rowsPerCall).ConfigureAwait(false))
            await SubmitAsync(jobs, cancellationToken).ConfigureAwait(false);
    }

    private async Task SubmitAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        // Before the rows are in the window, where the collector looks for results.
        if (plan.Options.RetryFailed && isShared)
            await enqueuer.ForgetErrorsAsync(jobs, cancellationToken).ConfigureAwait(false);
        await window.AddAsync([.. jobs.Select(j => (j.Row, JobGroups.Size(j)))], cancellationToken).ConfigureAwait(false);
        var outcomes = await enqueuer.EnqueueAsync(jobs, cancellationToken).ConfigureAwait(false);
        var ended = jobs.Where((_, n) => outcomes[n] == EnqueueOutcome.Ended).Select(j => j.Id).ToList();
        if (ended.Count > 0)
            await collector.TakeAsync(ended, cancellationToken).ConfigureAwait(false);
    }
}
