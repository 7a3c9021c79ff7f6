namespace LlmPipeline;

/// <summary>What a single job may be told beside its work.</summary>
public sealed record JobOptions
{
    /// <summary>How soon it is claimed beside others.</summary>
    public Lane Lane { get; init; } = Lane.Normal;

    /// <summary>How long it waits before it may be claimed.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>When it is no longer wanted; null for never. Past it, the job ends as expired.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>How often the LLM work is started at most; 8 by default.</summary>
    public int MaxAttempts { get; init; } = 8;

    /// <summary>How long a single call may take; null for the worker's own limit.</summary>
    public TimeSpan? AttemptTimeout { get; init; }

    /// <summary>The same key is the same job: enqueueing again answers the same id and runs nothing twice. Null: a new job each time.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>The submitter's own name for it, copied to the result.</summary>
    public string? CustomId { get; init; }

    /// <summary>The submitter's own data, copied along.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}
