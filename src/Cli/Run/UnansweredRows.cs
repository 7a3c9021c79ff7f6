namespace LlmPipeline;

/// <summary>
/// Makes errors of completions on a shared Redis that hold no answer, as earlier versions stored them, so that their rows run again.
/// </summary>
internal sealed class UnansweredRows(BatchInfo batch, PromptQueue queue, ResultStore results, RunRedis redis)
{
    /// <summary>Does it for some rows; where that is broken off they are found again.</summary>
    public async Task RevokeAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        await foreach (var result in results.ReadAsync([.. jobs.Select(job => job.Id)], cancellationToken).ConfigureAwait(false))
        {
            if (result is not { Status: ResultStatus.Completed } || StoredAnswer.Fault(result.Response) is not { } fault)
                continue;
            var row = jobs.First(job => job.Id == result.JobId).Row;
            // The counts first: where it is broken off between the two, the completion is still there to be found.
            await redis.AnsweredAsync(
                () => queue.Batches.RevokeAsync(batch, [(result.JobId, row)]), cancellationToken).ConfigureAwait(false);
            await redis.AnsweredAsync(
                () => results.RevokeAsync(result, new ResultError("invalid_response", fault)), cancellationToken).ConfigureAwait(false);
        }
    }
}
