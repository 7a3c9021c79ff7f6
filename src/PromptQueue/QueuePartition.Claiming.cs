using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Claiming, and claims that stand until there is a job.</summary>
public sealed partial class QueuePartition
{
    /// <summary>Takes waiting jobs under a lease.</summary>
    /// <param name="most">How many at most, up to 500; fewer when their envelopes pass 4 MiB.</param>
    /// <param name="token">The fence: 128 random bits as text without <c>|</c>, new for each claim, the same when a claim is repeated.</param>
    /// <param name="worker">This process; no <c>|</c>.</param>
    /// <param name="lane">The lane to start from.</param>
    /// <param name="repeated">True when the answer to a claim with this token was lost: what it took is answered again.</param>
    /// <param name="stands">This claim, where it is to stand if it finds none; of the same token and worker.</param>
    /// <param name="stood">One that stands since before: it stands on if this one finds none and may stand, and is withdrawn if not.</param>
    /// <exception cref="QueueMismatchException">The queue has other partitions or another schema version.</exception>
    public async Task<ClaimResult> ClaimAsync(
        int most, string token, string worker, Lane lane = Lane.High, bool repeated = false, StandingClaim? stands = null, StandingClaim? stood = null)
    {
        CheckName(token, nameof(token));
        CheckName(worker, nameof(worker));
        // One that stands since the lost answer must not be answered beside this one.
        if (repeated && await (stands is null ? HeldAsync(token) : WithdrawAsync(stands)).ConfigureAwait(false) is { IsEmpty: false } held)
            return held;

        return ClaimAnswer.Read(Queue, Index, token, await RunAsync(
            QueueScripts.Claim, _redis.Once.Commands,
            [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Delayed, _keys.Inflight, _keys.Leases, _keys.Workers, _keys.Cancel, _keys.Stopped, _keys.Standing],
            [
                Math.Clamp(most, 1, JobsPerCall), token, LeaseMilliseconds, worker, (int)lane + 1, BytesPerClaim,
                stood?.Member(LeaseMilliseconds) ?? "", stands?.Member(LeaseMilliseconds) ?? "",
            ]).ConfigureAwait(false), _time.GetUtcNow());
    }

    /// <summary>The channel on which is heard what standing claims with an ear are answered here.</summary>
    internal string Handed(string ear) => _keys.Handed(ear);

    /// <summary>What a standing claim was answered, as its worker has heard it.</summary>
    public ClaimResult Read(HandedJob handed)
    {
        ArgumentNullException.ThrowIfNull(handed);
        return ClaimAnswer.Read(Queue, Index, handed, _time.GetUtcNow());
    }

    /// <summary>Ends a standing claim, or learns, heard or not, what it was answered. The lease of that is made new.</summary>
    public async Task<ClaimResult> WithdrawAsync(StandingClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return await _redis.Once.Commands.SortedSetRemoveAsync(_keys.Standing, claim.Member(LeaseMilliseconds)).ConfigureAwait(false)
            ? new ClaimResult([], null)
            : await HeldAsync(claim.Token).ConfigureAwait(false);
    }

    /// <summary>What a claim or a sweep has taken whose answer was lost.</summary>
    private async Task<ClaimResult> HeldAsync(string token)
    {
        ClaimResult? held = null;
        var answer = Array.Empty<RedisResult>();
        for (var cursor = 0L; cursor >= 0; cursor = (long)answer[2])
        {
            answer = await RunAsync(
                QueueScripts.Held, _redis.Once.Commands, [_keys.Meta, _keys.Jobs, _keys.Inflight, _keys.Leases, _keys.Cancel, _keys.Stopped],
                [token, LeaseMilliseconds, cursor, JobsPerSweep]).ConfigureAwait(false);
            var step = ClaimAnswer.Read(Queue, Index, token, answer, _time.GetUtcNow()) with { NextDue = null };
            held = held?.With(step) ?? step;
        }

        return held!;
    }
}
