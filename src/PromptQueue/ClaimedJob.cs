namespace LlmPipeline;

/// <summary>A job that this process holds under a lease.</summary>
/// <param name="Job">What is to be done; its deadline is by the clock of this process.</param>
/// <param name="Partition">The partition that it lies in.</param>
/// <param name="Token">The fence of this claim: settling and renewing need it.</param>
/// <param name="Attempts">Attempts charged before this claim.</param>
/// <param name="Lost">How often a lease on it was lost.</param>
/// <param name="CancelAsked">Whether it, or its batch, was asked to stop: it is to be ended as cancelled, without a call.</param>
/// <param name="Age">How long ago it was enqueued.</param>
public sealed record ClaimedJob(Job Job, int Partition, string Token, int Attempts, int Lost, bool CancelAsked, TimeSpan Age)
{
    /// <summary>What the calls under this claim have cost; counted, for its batch and by deployment, once: when the claim is completed, buried or retried.</summary>
    public IReadOnlyList<JobCost> Costs { get; init; } = [];

    /// <summary>What calls under earlier claims have used. A retry keeps it for the next claim.</summary>
    public JobUsage Used { get; init; }

    /// <summary>How earlier calls were refused, if that is not judged yet. A retry keeps it for the next claim.</summary>
    internal JobRefusal? Refused { get; init; }

    /// <summary>How far the clock of this process is ahead of the clock of Redis.</summary>
    internal TimeSpan ClockOffset { get; init; }

    /// <summary>What a retry keeps for the next claim.</summary>
    internal JobHistory History => new(Used, Refused is { } refused ? refused with { Since = refused.Since - ClockOffset } : null);
}

/// <summary>What a claim brought.</summary>
/// <param name="Jobs">The jobs; none when nothing waits.</param>
/// <param name="NextDue">How long until a delayed job is due; null when none is delayed.</param>
public sealed record ClaimResult(IReadOnlyList<ClaimedJob> Jobs, TimeSpan? NextDue)
{
    /// <summary>Jobs that were claimed with the others but cannot be read: store their errors, then bury them.</summary>
    public IReadOnlyList<UnreadableJob> Unreadable { get; init; } = [];

    /// <summary>Whether it brought nothing.</summary>
    public bool IsEmpty => Jobs.Count + Unreadable.Count == 0;

    /// <summary>Whether the queue is paused, which is why there are none.</summary>
    public bool Paused { get; init; }

    /// <summary>What time it was on Redis; of a paused queue it is not told.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>Whether no result stands of the jobs, so that none need be looked for.</summary>
    public bool AreNew { get; init; }

    /// <summary>Whether a claim stands now, since there was no job: the one that stood before, if <see cref="HasStood"/>, else this one.</summary>
    public bool Stands { get; init; }

    /// <summary>Whether the one that stood before did so until now. If not, it may have been answered: see <see cref="QueuePartition.WithdrawAsync"/>.</summary>
    public bool HasStood { get; init; }

    /// <summary>This and what another step found of the same claim; a job that both found, once.</summary>
    internal ClaimResult With(ClaimResult step) => step.IsEmpty ? this : step with
    {
        Jobs = [.. Jobs.Concat(step.Jobs).DistinctBy(claimed => claimed.Job.Id)],
        Unreadable = [.. Unreadable.Concat(step.Unreadable).DistinctBy(job => job.Id)],
    };
}

/// <summary>What a renewal found.</summary>
public enum LeaseState
{
    /// <summary>The lease is extended.</summary>
    Held,

    /// <summary>The claim is no longer this process's.</summary>
    Lost,

    /// <summary>The lease is extended, and the job or its batch was asked to stop.</summary>
    CancelAsked,
}

/// <summary>What a settle call found.</summary>
public enum SettleOutcome
{
    /// <summary>The claim has ended as asked.</summary>
    Settled,

    /// <summary>The job had ended before.</summary>
    AlreadyEnded,

    /// <summary>The claim is no longer this process's: its lease was lost.</summary>
    SomeoneElses,
}

/// <summary>What became of an enqueued job.</summary>
public enum EnqueueOutcome
{
    /// <summary>It waits now.</summary>
    Added,

    /// <summary>It was there already: waiting, delayed or running.</summary>
    AlreadyThere,

    /// <summary>It has ended already: its result stands, or has expired.</summary>
    Ended,

    /// <summary>It was not taken: too many jobs wait (<see cref="PromptQueueOptions.MaxWaiting"/>). Try again later.</summary>
    Full,
}

/// <summary>How a completed claim is counted.</summary>
public enum EndState
{
    /// <summary>With a completion.</summary>
    Completed = 1,

    /// <summary>Past its deadline; counted among the failed.</summary>
    Expired = 2,

    /// <summary>Because it was asked for.</summary>
    Cancelled = 3,
}
