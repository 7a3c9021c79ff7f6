namespace LlmPipeline;

/// <summary>Waits for results.</summary>
public static class ResultWaiting
{
    /// <summary>Waits for the result of a job, and no longer than a time.</summary>
    /// <param name="results">The store.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="timeout">How long.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <exception cref="TimeoutException">There was no result in time. The job goes on.</exception>
    public static async Task<JobResult> WaitAsync(
        this ResultStore results, string jobId, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(results);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            return await results.WaitAsync(jobId, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The job {jobId} has no result after {timeout}.");
        }
    }
}
