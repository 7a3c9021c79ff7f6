namespace LlmPipeline;

/// <summary>A batch as it goes over the wire. Times are Unix seconds.</summary>
internal sealed record BatchBody
{
    public required string Id { get; init; }

    public string Object => "batch";

    public required string Endpoint { get; init; }

    /// <summary>Null while it is not known, and for a file with several.</summary>
    public string? Model { get; init; }

    public BatchFaults? Errors { get; init; }

    public required string InputFileId { get; init; }

    public required string CompletionWindow { get; init; }

    public required string Status { get; init; }

    public string? OutputFileId { get; init; }

    public string? ErrorFileId { get; init; }

    public required long CreatedAt { get; init; }

    public long? InProgressAt { get; init; }

    public long? ExpiresAt { get; init; }

    public long? FinalizingAt { get; init; }

    public long? CompletedAt { get; init; }

    public long? FailedAt { get; init; }

    public long? ExpiredAt { get; init; }

    public long? CancellingAt { get; init; }

    public long? CancelledAt { get; init; }

    public required BatchCounts RequestCounts { get; init; }

    public required BatchUsage Usage { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Rows of a batch; they have ended but for those that are only in <paramref name="Total"/>.</summary>
internal sealed record BatchCounts(long Total, long Completed, long Failed);

/// <summary>What is wrong with a batch's file.</summary>
internal sealed record BatchFaults(IReadOnlyList<BatchFault> Data)
{
    public string Object => "list";
}

/// <summary>One thing that is wrong with a batch's file.</summary>
internal sealed record BatchFault(string Code, string Message, string? Param, int? Line);

/// <summary>The tokens that a batch's completions took, as the provider counted them.</summary>
internal sealed record BatchUsage(long InputTokens, CachedDetails InputTokensDetails, long OutputTokens, ReasoningDetails OutputTokensDetails)
{
    public long TotalTokens => InputTokens + OutputTokens;

    public static BatchUsage Of(long input, long cached, long output, long reasoning) => new(input, new CachedDetails(cached), output, new ReasoningDetails(reasoning));
}

/// <summary>Of the input.</summary>
internal sealed record CachedDetails(long CachedTokens);

/// <summary>Of the output.</summary>
internal sealed record ReasoningDetails(long ReasoningTokens);
