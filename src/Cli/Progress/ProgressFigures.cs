namespace LlmPipeline;

/// <summary>How far a run is, at one moment.</summary>
internal sealed record ProgressFigures
{
    /// <summary>The time of day.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>Rows that are to be called for.</summary>
    public required long Rows { get; init; }

    /// <summary>Of these, rows that have ended, those that failed included.</summary>
    public required long Done { get; init; }

    public required long Failed { get; init; }

    public required TimeSpan Elapsed { get; init; }

    public required double RowsPerSecond { get; init; }

    /// <summary>The time that is left at this rate; null while it is not known.</summary>
    public required TimeSpan? Left { get; init; }

    /// <summary>Where the rows are that have not ended.</summary>
    public required CallCounts Calls { get; init; }

    public required long Retries { get; init; }

    /// <summary>Requests of the last minute, at the start projected to a minute; and the limit of all deployments, null for none.</summary>
    public required (long Used, long? Limit) RequestsPerMinute { get; init; }

    /// <summary>The same of tokens.</summary>
    public required (long Used, long? Limit) TokensPerMinute { get; init; }

    /// <summary>What all runs of the batch have cost, in nanos; null as long as no price is known.</summary>
    public long? Spent { get; init; }

    /// <summary>What they will have cost at the end.</summary>
    public decimal? Projected { get; init; }

    public long? Budget { get; init; }

    /// <summary>Kinds of failures → rows, the latest first.</summary>
    public IReadOnlyList<KeyValuePair<string, int>> Failures { get; init; } = [];

    /// <summary>What keeps the run from being faster, in words; null where that is not known.</summary>
    public string? Limiting { get; init; }

    /// <summary>From 0 to 1.</summary>
    public double Share => Rows == 0 ? 1 : Math.Min(1, (double)Done / Rows);
}
