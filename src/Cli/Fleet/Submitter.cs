using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>Puts the rows of a checked file on the queues of a fleet. Safe to repeat from the start, wherever it was cut off.</summary>
internal sealed class Submitter
{
    private readonly RunPlan _plan;
    private readonly Fleet _fleet;

    private Submitter(RunPlan plan, Fleet fleet, string batch) => (_plan, _fleet, Batch) = (plan, fleet, batch);

    /// <summary>The batch's id.</summary>
    public string Batch { get; private set; }

    /// <summary>
    /// Finds the batch: the file's, or one that an earlier version of the program has submitted, whose id has an endpoint in it.
    /// </summary>
    public static async Task<Submitter> FindAsync(RunPlan plan, Fleet fleet, CancellationToken cancellationToken)
    {
        var batch = plan.Batch().Id;
        if (plan.EarlierFleetId() is { } earlier && await fleet.FindBatchAsync(batch, cancellationToken).ConfigureAwait(false) is null
            && await fleet.FindBatchAsync(earlier, cancellationToken).ConfigureAwait(false) is { IsOfRun: false })
            batch = earlier;
        return new Submitter(plan, fleet, batch);
    }

    /// <summary>Another batch of the same rows: a deliberate re-run, whose answers an output holds.</summary>
    public void Use(string batch) => Batch = batch;

    /// <summary>Submits rows.</summary>
    /// <param name="whenFull">What happens where a queue is full.</param>
    /// <param name="isWanted">Which rows; the others have their answers elsewhere.</param>
    /// <param name="cancellationToken">Ends it; rows before that are enqueued.</param>
    /// <exception cref="BatchFullException">A queue is full.</exception>
    public async Task<SubmitReport> RunAsync(WhenFull whenFull, Func<int, bool> isWanted, CancellationToken cancellationToken)
    {
        var options = _plan.Options;
        var submitter = new BatchSubmitter(_fleet.Queue, _fleet.Results, _fleet.Time, _fleet.Redis.Logger)
        {
            WhenFull = whenFull,
            RerunErrors = options.RetryFailed,
            ReplaceSimulated = options.RetryFailed,
            AnswerFault = options.RetryFailed ? StoredAnswer.Fault : null,
        };
        if (_plan.Function is { } function)
            await _fleet.Redis.DoneAsync(() => _fleet.Queue.SavePromptAsync(function.Sha, function.Name, function.Files),
                cancellationToken).ConfigureAwait(false);
        var info = await submitter.AnnounceAsync(_plan.Info(Batch) with { Name = options.Name }, cancellationToken).ConfigureAwait(false);
        var counts = (await submitter.SubmitAsync(info, _plan.JobsAsync(Batch, isWanted, cancellationToken),
            cancellationToken).ConfigureAwait(false))!;
        return new SubmitReport(
            Batch, _plan.Rows, counts.Added, counts.AlreadyThere, counts.Ended, info.Cancelled && !options.RetryFailed, info.Simulated
                && !options.RetryFailed)
        {
            Name = info.Name,
        };
    }
}

/// <summary>What became of the rows of a submit.</summary>
internal sealed record SubmitReport(string Batch, int Rows, int Enqueued, int AlreadyThere, int Ended, bool Cancelled, bool Simulated)
{
    /// <summary>The batch's name; absent when it has none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Name { get; init; }
}
