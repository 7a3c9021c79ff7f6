using System.Security.Cryptography;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Ends the jobs of a queue that wait and were asked to stop, or are past their deadline, wherever in it they are: they need no turn, no slot and no quota. Runs in every worker.
/// </summary>
internal sealed class Sweeper(Worker worker, IReadOnlyList<QueuePartition> partitions, WorkerParts parts, ILogger<Sweeper> logger)
{
    // Messages may be lost, and rows come to a batch after it was asked to stop.
    private static readonly TimeSpan SafetyLook = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ShortestRest = TimeSpan.FromSeconds(1);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var (seen, began) = (worker.Asked.Version, parts.Time.GetTimestamp());
                foreach (var partition in partitions)
                {
                    // Jobs that were claimed meanwhile move the others up, past where was looked.
                    while (await SweepAsync(partition, cancellationToken).ConfigureAwait(false) > 0)
                        cancellationToken.ThrowIfCancellationRequested();
                }

                // A look at a long queue is work for Redis: deadlines close together are met by one look.
                var rest = TimeSpan.FromTicks(Math.Max(ShortestRest.Ticks, parts.Time.GetElapsedTime(began).Ticks * 20));
                await worker.Asked.WaitAsync(seen, await PauseAsync(rest, cancellationToken).ConfigureAwait(false), parts.Time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task<TimeSpan> PauseAsync(TimeSpan rest, CancellationToken cancellationToken)
    {
        var pause = SafetyLook * (0.75 + (Random.Shared.NextDouble() / 2));
        foreach (var partition in partitions)
        {
            var next = await RedisRetry.UntilAnsweredAsync(partition.UntilDeadlineAsync, parts.Time, logger, cancellationToken).ConfigureAwait(false);
            pause = next < pause ? next.Value : pause;
        }

        return pause > rest ? pause : rest;
    }

    /// <returns>How many jobs have ended.</returns>
    private async Task<int> SweepAsync(QueuePartition partition, CancellationToken cancellationToken)
    {
        var ended = 0;
        for (var place = 0; place < QueuePartition.Places; place++)
        {
            for (var from = 0L; from >= 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var (claimed, next) = await StepAsync(partition, place, from).ConfigureAwait(false);
                await worker.Work.EndAsync(partition, claimed).ConfigureAwait(false);
                ended += claimed.Jobs.Count + claimed.Unreadable.Count;
                from = next;
            }
        }

        return ended;
    }

    private Task<(ClaimResult Claimed, long Next)> StepAsync(QueuePartition partition, int place, long from)
    {
        var token = RandomNumberGenerator.GetHexString(32, lowercase: true);
        return RedisRetry.UntilAnsweredAsync(
            again => partition.SweepAsync(token, parts.Options.Name, place, from, again), parts.Time, logger, parts.GiveUp);
    }
}
