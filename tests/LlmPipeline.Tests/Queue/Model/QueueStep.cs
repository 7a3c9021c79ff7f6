using CsCheck;

namespace LlmPipeline;

/// <summary>The operations of the queue, and what time and faults do to it.</summary>
internal enum QueueVerb
{
    Enqueue,
    Claim,
    ClaimAgain,
    Stand,
    Withdraw,
    Renew,
    Complete,
    Bury,
    Retry,
    Release,
    Expire,
    LoseWorker,
    Reclaim,
    MakeDue,
    Redrive,
    RedriveAll,
    RedriveRows,
    Purge,
    PurgeAll,
    Cancel,
    CancelBatch,
    Pause,
    Resume,
    Forget,
    Overdue,
    Sweep,
}

/// <summary>One operation of a case. Its numbers are taken modulo what there is to choose from, so that any sequence makes sense, a shrunk one too.</summary>
/// <param name="Verb">The operation.</param>
/// <param name="Picks">Which jobs or claims.</param>
/// <param name="Choice">Everything else: lane, state, delay, worker.</param>
internal sealed record QueueStep(QueueVerb Verb, int[] Picks, int Choice)
{
    private static readonly (int, QueueVerb)[] Weights =
    [
        (8, QueueVerb.Enqueue), (9, QueueVerb.Claim), (2, QueueVerb.ClaimAgain), (4, QueueVerb.Stand), (1, QueueVerb.Withdraw), (2, QueueVerb.Renew), (6, QueueVerb.Complete), (6, QueueVerb.Bury),
        (4, QueueVerb.Retry), (3, QueueVerb.Release), (3, QueueVerb.Expire), (3, QueueVerb.LoseWorker), (3, QueueVerb.Reclaim), (3, QueueVerb.MakeDue),
        (2, QueueVerb.Redrive), (1, QueueVerb.RedriveAll), (2, QueueVerb.RedriveRows), (1, QueueVerb.Purge), (1, QueueVerb.PurgeAll), (3, QueueVerb.Cancel),
        (2, QueueVerb.CancelBatch), (1, QueueVerb.Pause), (2, QueueVerb.Resume), (1, QueueVerb.Forget),
        (1, QueueVerb.Overdue), (3, QueueVerb.Sweep),
    ];

    /// <summary>Sequences of them.</summary>
    public static Gen<QueueStep[]> Sequences { get; } = Gen.Select(
        Gen.Frequency(Weights), Gen.Int[0, 23].Array[1, 4], Gen.Int[0, 23], (verb, picks, choice) => new QueueStep(verb, picks, choice)).Array[1, 60];

    /// <inheritdoc/>
    public override string ToString() => $"{Verb} {string.Join(',', Picks)} ({Choice})";
}
