namespace LlmPipeline;

/// <summary>What the user asked of <c>llmpipe run</c> or <c>submit</c>; null is "not said".</summary>
internal sealed record RunOptions
{
    public required string Input { get; init; }

    public string? Output { get; init; }

    public string? Prompt { get; init; }

    public string? Model { get; init; }

    public IReadOnlyList<string> Fallbacks { get; init; } = [];

    public string? System { get; init; }

    public IReadOnlyList<string> Set { get; init; } = [];

    public int? Concurrency { get; init; }

    public int? RequestsPerMinute { get; init; }

    public int? TokensPerMinute { get; init; }

    public int? MaxAttempts { get; init; }

    /// <summary>Whether rows go on although the first ones of their model fail alike.</summary>
    public bool KeepGoing { get; init; }

    public TimeSpan? AttemptTimeout { get; init; }

    public string? Redis { get; init; }

    /// <summary>Whether the workers of that Redis make the calls.</summary>
    public bool Fleet { get; init; }

    /// <summary>What the batch is called by people; null for nothing.</summary>
    public string? Name { get; init; }

    public Lane Lane { get; init; } = Lane.Normal;

    /// <summary>When the rows are no longer wanted; null for never.</summary>
    public DateTimeOffset? Deadline { get; init; }

    public int? Limit { get; init; }

    /// <summary>The most that the batch may cost, in nanos; null for no limit.</summary>
    public long? Budget { get; init; }

    /// <summary>Whether rows that ask the same are called once.</summary>
    public bool Dedupe { get; init; }

    public bool RetryFailed { get; init; }

    public bool Again { get; init; }

    public bool Check { get; init; }

    public bool Force { get; init; }

    public bool Json { get; init; }

    /// <summary>Whether only what goes wrong is reported.</summary>
    public bool Quiet { get; init; }

    /// <summary>Whether nothing is reported while the run goes on.</summary>
    public bool NoProgress { get; init; }

    /// <summary>How lines on standard error are written.</summary>
    public LogFormat LogFormat { get; init; }
}
