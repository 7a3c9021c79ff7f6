using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Ends claims, many in one call: whatever has come together while a partition's last calls were on their way goes with the next one.
/// A call is repeated until Redis answers it; each is safe to repeat.
/// </summary>
internal sealed partial class Settler(TimeProvider time, ILogger<Settler> logger, CancellationToken giveUp) : IAsyncDisposable
{
    private const int JobsPerCall = 256;
    private const int Calls = 2;
    private readonly ConcurrentDictionary<QueuePartition, Coalescer<Settlement>> _partitions = new();

    private long _finished;
    private long _givenBack;

    /// <summary>Jobs whose claims have ended so far: those that are done, and those that wait again.</summary>
    public (long Finished, long GivenBack) Totals => (Interlocked.Read(ref _finished), Interlocked.Read(ref _givenBack));

    /// <summary>Raised after each call to Redis.</summary>
    public event Action? Settled;

    /// <summary>Ends the claim, and then the job in this process. The answer of its call must be safe.</summary>
    public void Settle(Settlement settlement)
    {
        settlement.Job.TellCalled();
        settlement.Job.BeginSettling();
        _partitions.GetOrAdd(settlement.Job.Partition, static (partition, settler) => new(JobsPerCall, Calls, all => settler.SettleAsync(partition, all)), this).Add(settlement);
    }

    /// <summary>Ends when all that was asked for is done.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var partition in _partitions.Values)
            await partition.DisposeAsync().ConfigureAwait(false);
    }

    private async Task SettleAsync(QueuePartition partition, IReadOnlyList<Settlement> all)
    {
        foreach (var verb in all.GroupBy(one => one.Verb))
            await SettleAsync(partition, verb.Key, [.. verb]).ConfigureAwait(false);
    }

    private async Task SettleAsync(QueuePartition partition, SettleVerb verb, Settlement[] all)
    {
        try
        {
            var outcomes = await RedisRetry.UntilAnsweredAsync(() => CallAsync(partition, verb, all), time, logger, giveUp).ConfigureAwait(false);
            for (var n = 0; n < all.Length; n++)
            {
                if (outcomes[n] != SettleOutcome.SomeoneElses)
                {
                    Count(verb);
                    continue;
                }

                WorkerTelemetry.Fenced.Add(1, new KeyValuePair<string, object?>("messaging.destination.name", partition.Queue));
                LogFenced(all[n].Job.Claim.Job.Id, verb);
            }
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            // The process ends at once; nothing is lost, the leases run out.
        }
        catch (Exception e)
        {
            foreach (var one in all)
                LogUnsettled(e, one.Job.Claim.Job.Id);
        }

        foreach (var one in all)
            one.Job.End();
        Settled?.Invoke();
    }

    private void Count(SettleVerb verb)
    {
        if (verb is SettleVerb.Complete or SettleVerb.Bury)
            Interlocked.Increment(ref _finished);
        else
            Interlocked.Increment(ref _givenBack);
    }

    private static Task<IReadOnlyList<SettleOutcome>> CallAsync(QueuePartition partition, SettleVerb verb, Settlement[] all) => verb switch
    {
        SettleVerb.Complete => partition.CompleteAsync(Array.ConvertAll(all, one => (one.Claim, one.State))),
        SettleVerb.Bury => partition.BuryAsync(Array.ConvertAll(all, one => one.Claim)),
        SettleVerb.Retry => partition.RetryAsync(Array.ConvertAll(all, one => (one.Claim, one.Attempts, one.Delay))),
        _ => partition.ReleaseAsync(Array.ConvertAll(all, one => one.Job.Claim)),
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {JobId} could not be settled ({Verb}): its claim is another worker's now")]
    private partial void LogFenced(string jobId, SettleVerb verb);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {JobId} could not be settled; its lease will run out and it will run again")]
    private partial void LogUnsettled(Exception e, string jobId);
}
