namespace LlmPipeline;

/// <summary>How long things are kept on the Redis of a fleet.</summary>
internal sealed class RetentionSettings
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1), Longest = TimeSpan.FromDays(3650);

    /// <summary>Results, after they were stored.</summary>
    public TimeSpan? Results { get; set; }

    /// <summary>Batches, after their last change, with their dead letters and, in the gateway, their records after they have ended.</summary>
    public TimeSpan? Batches { get; set; }

    /// <summary>The files of prompt functions, after their last use.</summary>
    public TimeSpan? Prompts { get; set; }

    /// <summary>What is wrong; null when nothing is.</summary>
    public string? Fault()
    {
        foreach (var (name, value) in new[] { (nameof(Results), Results), (nameof(Batches), Batches), (nameof(Prompts), Prompts) })
        {
            if (value is { } span && (span < Shortest || span > Longest))
                return $"Retention:{name}: {span} is not from a minute to 3650 days";
        }

        return null;
    }
}
