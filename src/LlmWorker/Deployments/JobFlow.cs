namespace LlmPipeline;

/// <summary>The flow that a job belongs to: its batch, else the API key that submitted it, else all other jobs together.</summary>
internal static class JobFlow
{
    public static string Of(Job job)
    {
        if (job.Batch is { } batch)
            return batch;
        // The gateway's jobs are named c-OWNER-… and g-OWNER-….
        var id = job.Id.AsSpan();
        var end = id.Length > 2 && id[1] == '-' && id[0] is 'c' or 'g' ? id[2..].IndexOf('-') : -1;
        return end < 0 ? "" : id[..(end + 2)].ToString();
    }
}
