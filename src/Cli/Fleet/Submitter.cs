namespace LlmPipeline;

/// <summary>Puts the rows of a checked file on the queue. Safe to repeat from the start, wherever it was cut off.</summary>
internal sealed class Submitter
{
    // One is read and packed while Redis works on the other.
    private const int GroupsAtOnce = 2;

    private readonly RunPlan _plan;
    private readonly RowEnqueuer _enqueuer;

    public Submitter(RunPlan plan, Fleet fleet)
    {
        _plan = plan;
        _enqueuer = new RowEnqueuer(fleet.Queue, fleet.Results, fleet.Redis, fleet.Time);
        Batch = plan.Batch().Id;
    }

    /// <summary>The batch's id.</summary>
    public string Batch { get; }

    /// <exception cref="CliException">A queue is full.</exception>
    public async Task<SubmitReport> RunAsync(CancellationToken cancellationToken)
    {
        var batch = await _enqueuer.AnnounceAsync(_plan, Batch, cancellationToken).ConfigureAwait(false);
        var counts = new Dictionary<EnqueueOutcome, int>();
        var groups = JobGroups.OfAsync(_plan.JobsAsync(Batch, _ => true, cancellationToken));
        await foreach (var outcomes in Pipelining.InOrderAsync(groups, GroupsAtOnce, jobs => EnqueueAsync(jobs, cancellationToken), cancellationToken).ConfigureAwait(false))
        {
            foreach (var outcome in outcomes)
                counts[outcome] = counts.GetValueOrDefault(outcome) + 1;
            if (counts.ContainsKey(EnqueueOutcome.Full))
                throw CliException.Broke($"the queue is full after {counts.Values.Sum() - counts[EnqueueOutcome.Full]} of {_plan.Rows} rows of batch {Batch}; the same command again adds the rest");
        }

        await _enqueuer.SealAsync(batch, cancellationToken).ConfigureAwait(false);
        return new SubmitReport(
            Batch, _plan.Rows, counts.GetValueOrDefault(EnqueueOutcome.Added), counts.GetValueOrDefault(EnqueueOutcome.AlreadyThere),
            counts.GetValueOrDefault(EnqueueOutcome.Ended), batch.Cancelled && !_plan.Options.RetryFailed);
    }

    private async Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        if (_plan.Options.RetryFailed)
            await _enqueuer.ForgetErrorsAsync(jobs, cancellationToken).ConfigureAwait(false);
        return await _enqueuer.EnqueueAsync(jobs, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>What became of the rows of a submit.</summary>
internal sealed record SubmitReport(string Batch, int Rows, int Enqueued, int AlreadyThere, int Ended, bool Cancelled);
