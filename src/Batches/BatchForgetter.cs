namespace LlmPipeline;

/// <summary>Removes what a batch or a job has left on Redis: results, dead letters with their prompts, counts. Safe to repeat where it was cut off.</summary>
/// <param name="queue">The queue.</param>
/// <param name="results">The results.</param>
public sealed class BatchForgetter(PromptQueue queue, ResultStore results)
{
    private const int RowsPerCall = 500;

    /// <summary>Forgets a batch. What it is goes last, so that a call that was cut off can be repeated.</summary>
    /// <returns>False: it has rows that have not ended, and nothing was removed.</returns>
    public async Task<bool> ForgetAsync(BatchInfo batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var progress = await queue.Batches.ProgressAsync(batch.Id).ConfigureAwait(false);
        if (progress.Ended < progress.Expected)
            return false;
        // Of one that was not sealed, the queue may know more rows than the batch.
        var rows = (int)Math.Max(batch.Rows, Math.Min(progress.Expected, Names.MaxRow));
        foreach (var part in Enumerable.Range(1, rows).Select(row => RowId.Of(batch.Id, row)).Chunk(RowsPerCall))
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var name in batch.Queues)
                await queue.PurgeDeadAsync(name, part, null).ConfigureAwait(false);
            await results.DeleteAsync(part).ConfigureAwait(false);
        }

        await queue.Batches.RemoveAsync(batch).ConfigureAwait(false);
        return true;
    }

    /// <summary>Forgets a job: its result, and its dead letter in any of the queues.</summary>
    /// <returns>False: it has not ended, and nothing was removed.</returns>
    public async Task<bool> ForgetAsync(string jobId, IEnumerable<string> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        foreach (var name in queues)
        {
            if (await queue.StateAsync(name, jobId).ConfigureAwait(false) is { } state)
            {
                if (state != JobState.Dead)
                    return false;
                await queue.PurgeDeadAsync(name, [jobId], null).ConfigureAwait(false);
            }
        }

        await results.DeleteAsync([jobId]).ConfigureAwait(false);
        return true;
    }
}
