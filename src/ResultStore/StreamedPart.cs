namespace LlmPipeline;

/// <summary>A part of a job's answer while it comes: a delta or, last, the result.</summary>
public sealed record StreamedPart
{
    /// <summary>The data of one event, as the provider sent it: JSON, without the <c>data:</c> before it; null in the last part.</summary>
    public string? Delta { get; init; }

    /// <summary>The call broke off and was made again: all deltas before this one are void.</summary>
    public bool Restarted { get; init; }

    /// <summary>The end: the whole result. Always the last part, and the only one for a reader that came late.</summary>
    public JobResult? Result { get; init; }
}
