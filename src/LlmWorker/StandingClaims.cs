using System.Security.Cryptography;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// The claims of one worker: one that finds nothing stands on its partition until a job answers it, or until the next claim finds some. An answer that was
/// heard costs no call; one that was not, or too late to be trusted, is asked for.
/// </summary>
internal sealed class StandingClaims(WorkerParts parts, IReadOnlyList<QueuePartition> partitions, ILogger logger)
{
    /// <summary>How much later than it was given a job may be heard of: after that the process may have been stopped for longer than the lease.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromSeconds(1);
    private readonly string? _results = parts.Results.IsSpread ? null : parts.Results.KeyStart;
    private readonly Place[] _places = [.. partitions.Select(_ => new Place())];

    /// <summary>Of all of them, and of no other worker's, also one of the same name.</summary>
    public string Ear { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    /// <summary>Whether any claim stands.</summary>
    public bool AnyStands => Array.Exists(_places, place => place.Standing is not null);

    /// <summary>Told what was heard, on any thread.</summary>
    public void Hear(QueuePartition partition, HandedJob job) => Volatile.Write(ref _places[partition.Index].Heard, job);

    /// <summary>Claims, unless what stands there was answered.</summary>
    /// <param name="partition">Where.</param>
    /// <param name="most">How many jobs at most.</param>
    /// <param name="lane">The lane to start from.</param>
    /// <param name="mayStand">Whether the claim is to stand if it finds none.</param>
    /// <param name="sent">Called each time that the claim was sent; whether it is repeated.</param>
    /// <param name="cancellationToken">Ends it also without an answer.</param>
    /// <returns>What it brought; and beside it what one that stood before was answered, if that had not been heard.</returns>
    public async Task<(ClaimResult Claimed, ClaimResult? Before)> ClaimAsync(
        QueuePartition partition, int most, Lane lane, bool mayStand, Action<bool> sent, CancellationToken cancellationToken)
    {
        var place = _places[partition.Index];
        var standing = place.Standing;
        if (standing is not null && Interlocked.Exchange(ref place.Heard, null) is { } heard && heard.Token == standing.Token && !IsLate(place, heard))
        {
            place.Standing = null;
            return (partition.Read(heard), null);
        }

        DateTimeOffset asked = default;
        var token = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var stands = mayStand ? new StandingClaim(token, parts.Options.Name, Ear, _results) : null;
        var claimed = await RedisRetry.UntilAnsweredAsync(ClaimOnceAsync, parts.Time, logger, cancellationToken).ConfigureAwait(false);
        (place.Standing, place.Since, place.SinceThere) = (!claimed.Stands ? null : claimed.HasStood ? standing : stands, asked, claimed.At);
        return (claimed, standing is null || claimed.HasStood ? null : await WithdrawAsync(partition, standing, cancellationToken).ConfigureAwait(false));

        Task<ClaimResult> ClaimOnceAsync(bool again)
        {
            asked = parts.Time.GetUtcNow();
            var claiming = partition.ClaimAsync(most, token, parts.Options.Name, lane, again, stands, standing);
            sent(again);
            return claiming;
        }
    }

    /// <summary>Ends all that stand.</summary>
    /// <returns>What they were answered before that.</returns>
    public async Task<IReadOnlyList<(QueuePartition Partition, ClaimResult Claimed)>> WithdrawAsync(CancellationToken cancellationToken)
    {
        var answered = new List<(QueuePartition, ClaimResult)>();
        foreach (var partition in partitions)
        {
            var place = _places[partition.Index];
            if (place.Standing is not { } standing)
                continue;
            var claimed = await WithdrawAsync(partition, standing, cancellationToken).ConfigureAwait(false);
            place.Standing = null;
            if (!claimed.IsEmpty)
                answered.Add((partition, claimed));
        }

        return answered;
    }

    private Task<ClaimResult> WithdrawAsync(QueuePartition partition, StandingClaim standing, CancellationToken cancellationToken) =>
        RedisRetry.UntilAnsweredAsync(() => partition.WithdrawAsync(standing), parts.Time, logger, cancellationToken);

    // By how long it was on its way at most, whatever the two clocks say.
    private bool IsLate(Place place, HandedJob heard) => parts.Time.GetUtcNow() - place.Since - (heard.At - place.SinceThere) > Late;

    private sealed class Place
    {
        /// <summary>What was heard last.</summary>
        public HandedJob? Heard;

        /// <summary>What stands.</summary>
        public StandingClaim? Standing { get; set; }

        /// <summary>When the last claim was sent, by the clock of this process.</summary>
        public DateTimeOffset Since { get; set; }

        /// <summary>When it was answered, by the clock of Redis: not before that.</summary>
        public DateTimeOffset SinceThere { get; set; }
    }
}
