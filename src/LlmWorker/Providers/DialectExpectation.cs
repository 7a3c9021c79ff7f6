namespace LlmPipeline;

/// <summary>What a run of a few rows against an endpoint that plays one dialect must show.</summary>
internal sealed record DialectExpectation
{
    /// <summary>The exit code of <c>run</c>: 0 all completed, 3 some rows failed, 1 the run could not go on and is resumable.</summary>
    public required int Exit { get; init; }

    /// <summary>Which rows fail. The others are completed with exit 0 and 3, and neither failed nor charged with exit 1.</summary>
    public FailedRows Failed { get; init; }

    /// <summary>A part of the provider's sentence that is shown, or kept with the failed row; null for none.</summary>
    public string? Says { get; init; }

    /// <summary>The text of each completion; null where the simulator makes it up or there is none.</summary>
    public string? Text { get; init; }

    /// <summary>Whether the usage is estimated and flagged, because the answer does not tell it.</summary>
    public bool Estimated { get; init; }

    /// <summary>Whether playing it takes more than about ten seconds.</summary>
    public bool Slow { get; init; }
}
