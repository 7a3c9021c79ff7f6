namespace LlmPipeline;

/// <summary>Where jobs wait, as a message told; few of them are named.</summary>
internal sealed record NamedJobs(QueuePartition Partition, string[]? Ids);

/// <summary>
/// A look for results that is on its way right behind the claim, for jobs that are expected of it. On one server it is made after the claim, as each look must be:
/// whoever held a job before may have stored its answer until then.
/// </summary>
internal sealed class EarlyLook(string[] ids, Task<IReadOnlyList<ResultStatus?>> answer)
{
    /// <summary>The statuses that stand; null when the claim brought others, or the look had no answer: then they are to be looked for.</summary>
    public async ValueTask<IReadOnlyList<ResultStatus?>?> OfAsync(HeldJob[] held)
    {
        var places = Array.ConvertAll(held, job => Array.IndexOf(ids, job.Claim.Job.Id));
        if (Array.IndexOf(places, -1) >= 0)
            return null;
        try
        {
            var stands = await answer.ConfigureAwait(false);
            return Array.ConvertAll(places, place => stands[place]);
        }
        catch (Exception)
        {
            // The look that follows meets the same, or it has passed.
            return null;
        }
    }
}
