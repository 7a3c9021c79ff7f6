using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Marks the batches that have results of a simulator.</summary>
internal sealed class SimulatedBatches(Batches batches, RunningWork running, TimeProvider time, ILogger logger, CancellationToken giveUp)
{
    // A mark that is written once more does no harm; ids come from callers.
    private const int MostBatches = 10_000;

    // A run that replaces such results takes the mark off.
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<string, long> _marked = new(StringComparer.Ordinal);

    /// <summary>Marks the batch of a completion that is a simulator's.</summary>
    public void Note(JobResult completion)
    {
        if (!completion.Meta.Flags.HasFlag(AnswerFlags.Simulated) || RowId.Parse(completion.JobId) is not { Batch: var batch })
            return;
        if (_marked.Count >= MostBatches)
            _marked.Clear();
        var now = time.GetTimestamp();
        if (_marked.TryGetValue(batch, out var marked) && time.GetElapsedTime(marked, now) < Again)
            return;
        _marked[batch] = now;
        running.Track(MarkAsync(batch));
    }

    private async Task MarkAsync(string batch)
    {
        try
        {
            await RedisRetry.UntilAnsweredAsync(
                () => RedisRetry.DoneAsync(batches.MarkSimulatedAsync(batch)),
                time, logger, giveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            // The process ends without Redis.
        }
    }
}
