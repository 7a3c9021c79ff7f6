namespace LlmPipeline;

/// <summary>One call to Redis is for results that are kept equally long.</summary>
internal static class ResultLives
{
    /// <summary>Stores results in one call for each life.</summary>
    public static async Task<IReadOnlyList<(ResultStatus Stored, bool IsPaidTwice)>> StoreAsync(
        IReadOnlyList<JobResult> results, Func<IReadOnlyList<JobResult>, Task<IReadOnlyList<(ResultStatus Stored, bool IsPaidTwice)>>> store)
    {
        var stored = new (ResultStatus Stored, bool IsPaidTwice)[results.Count];
        foreach (var group in Enumerable.Range(0, results.Count).GroupBy(n => results[n].Life))
        {
            foreach (var (n, answer) in group.Zip(await store([.. group.Select(n => results[n])]).ConfigureAwait(false)))
                stored[n] = answer;
        }

        return stored;
    }
}
