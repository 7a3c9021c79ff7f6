namespace LlmPipeline;

/// <summary>Reads the input's rows and enqueues those that have no answer yet. Rows that no deployment can serve are left for a later run.</summary>
internal sealed class RunFeeder(
    RunPlan plan, BatchSubmitter submitter, EarlierRows? earlier, OutputFile output, RunWindow window,
    RunCollector collector, Func<int, bool> isCalled, RunBlockages blockages, RunRequests requests)
{
    /// <summary>Rows that were left out.</summary>
    public int Skipped { get; private set; }

    /// <summary>Rows that were put on the queue, or are there from an earlier run.</summary>
    public int Submitted { get; private set; }

    /// <summary>Whether the whole input has been read.</summary>
    public bool IsDone { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var missing = plan.JobsAsync(output.BatchId, row => !output.IsDone(row) && isCalled(row), cancellationToken);
        await foreach (var jobs in JobGroups.OfAsync(missing).ConfigureAwait(false))
            await SubmitAsync(jobs, cancellationToken).ConfigureAwait(false);
        IsDone = true;
    }

    private async Task SubmitAsync(IReadOnlyList<Job> all, CancellationToken cancellationToken)
    {
        var jobs = blockages.Any ? all.Where(job => !blockages.IsBlocked(RowTarget.Of(job))).ToList() : all;
        Skipped += all.Count - jobs.Count;
        if (jobs.Count == 0)
            return;
        Submitted += jobs.Count;
        requests.Add(jobs);
        // Before the rows are in the window, where the collector looks for results.
        await submitter.PrepareAsync(jobs, cancellationToken).ConfigureAwait(false);
        await window.AddAsync([.. jobs.Select(j => (j.Row, RowTarget.Of(j), JobGroups.Size(j)))], cancellationToken).ConfigureAwait(false);
        if (earlier is not null)
            jobs = await earlier.WithdrawAsync(jobs, ended => collector.TakeAsync(ended, cancellationToken), cancellationToken).ConfigureAwait(false);
        await EnqueueAsync(jobs, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Enqueues rows that are in the window; those that have ended are collected.</summary>
    public async Task EnqueueAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        var outcomes = (await submitter.EnqueueAsync(jobs, cancellationToken).ConfigureAwait(false))!;
        var ended = jobs.Where((_, n) => outcomes[n] == EnqueueOutcome.Ended).Select(job => job.Row).ToList();
        if (ended.Count > 0)
            await collector.TakeAsync(ended, cancellationToken).ConfigureAwait(false);
    }
}
