namespace LlmPipeline;

/// <summary>The ways to end a claim.</summary>
internal enum SettleVerb
{
    /// <summary>The result stands: the job has ended.</summary>
    Complete,

    /// <summary>The error stands: the job becomes a dead letter.</summary>
    Bury,

    /// <summary>Another try, after a delay.</summary>
    Retry,

    /// <summary>Given back, uncharged.</summary>
    Release,
}

/// <summary>How a claim is to be ended.</summary>
internal sealed record Settlement(SettleVerb Verb, HeldJob Job, IReadOnlyList<JobCost> Costs)
{
    /// <summary>The claim with what it has cost.</summary>
    public ClaimedJob Claim => Costs.Count == 0 && Used == default && Job.Progress.Refused is null
        ? Job.Claim
        : Job.Claim with { Costs = Costs, Used = Used, Refused = Job.Progress.Refused };

    /// <summary>How a completed claim is counted.</summary>
    public EndState State { get; init; }

    /// <summary>Attempts charged so far, of one to be tried again.</summary>
    public int Attempts { get; init; }

    /// <summary>What its calls have used until now, of one to be tried again.</summary>
    public JobUsage Used { get; init; }

    /// <summary>How long it waits for its next try.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Ends a claim with the status that stands in the result store, whoever wrote it.</summary>
    public static Settlement With(ResultStatus stands, HeldJob job, IReadOnlyList<JobCost> costs) => stands switch
    {
        ResultStatus.Completed => new(SettleVerb.Complete, job, costs) { State = EndState.Completed },
        ResultStatus.Expired => new(SettleVerb.Complete, job, costs) { State = EndState.Expired },
        ResultStatus.Cancelled => new(SettleVerb.Complete, job, costs) { State = EndState.Cancelled },
        _ => new(SettleVerb.Bury, job, costs),
    };
}
