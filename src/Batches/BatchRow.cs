namespace LlmPipeline;

/// <summary>A row of a batch, and what there is of it.</summary>
/// <param name="Id">The row.</param>
/// <param name="CustomId">The submitter's name of it, where it is known without its result; else null.</param>
/// <param name="HasEnded">Whether the queue counts it as ended.</param>
/// <param name="Result">Its result; null when there is none yet, or no longer.</param>
public sealed record BatchRow(RowId Id, string? CustomId, bool HasEnded, JobResult? Result)
{
    /// <summary>It has no result yet.</summary>
    public bool IsOpen => Result is null && !HasEnded;

    /// <summary>It had a result, which is no longer kept.</summary>
    public bool IsGone => Result is null && HasEnded;

    /// <summary>It has a completion.</summary>
    public bool IsCompleted => Result is { Status: ResultStatus.Completed };

    /// <summary>The line of output; not for a row that is open.</summary>
    public OutputLine Line() => Result is not null ? BatchLine.Of(Result) : new OutputLine
    {
        JobId = Id.ToString(),
        CustomId = CustomId ?? Id.ToString(),
        ErrorCode = "result_expired",
        ErrorMessage = "the row has ended, but its result is no longer kept",
    };
}
