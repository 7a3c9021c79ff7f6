namespace LlmPipeline;

/// <summary>
/// Cuts a stream of jobs into groups that one call of <see cref="PromptQueue.EnqueueAsync(IReadOnlyList{Job}, bool, CancellationToken)"/>
/// takes well: up to 500 jobs or about 4 MiB, a larger job by itself.
/// </summary>
public static class JobGroups
{
    /// <summary>Jobs that one call takes at most.</summary>
    public const int MaxJobs = 500;

    private const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>The jobs in groups, in their order.</summary>
    /// <param name="jobs">The jobs.</param>
    /// <param name="most">Jobs in a group at most.</param>
    public static async IAsyncEnumerable<IReadOnlyList<Job>> OfAsync(IAsyncEnumerable<Job> jobs, int most = MaxJobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        var group = new List<Job>();
        var bytes = 0L;
        await foreach (var job in jobs.ConfigureAwait(false))
        {
            var size = Size(job);
            if (group.Count > 0 && bytes + size > MaxBytes)
            {
                yield return group;
                (group, bytes) = ([], 0);
            }

            group.Add(job);
            bytes += size;
            if (group.Count < most && bytes < MaxBytes)
                continue;
            yield return group;
            (group, bytes) = ([], 0);
        }

        if (group.Count > 0)
            yield return group;
    }

    /// <summary>About how much memory a job takes in the store, in bytes.</summary>
    public static int Size(Job job)
    {
        ArgumentNullException.ThrowIfNull(job);
        return job.Work switch
        {
            RequestWork request => request.Body.Length,
            PromptWork prompt => prompt.Variables.Sum(v => v.Key.Length + v.Value.Length),
            _ => 0,
        };
    }
}
