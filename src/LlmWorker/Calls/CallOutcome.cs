namespace LlmPipeline;

/// <summary>What follows from a call: the right column of the outcome table.</summary>
public enum CallVerdict
{
    /// <summary>A completion: store it, complete the job.</summary>
    Completed,

    /// <summary>The row's own fault, or its last attempt: store the error, bury the job.</summary>
    Failed,

    /// <summary>Try again after <see cref="CallOutcome.Delay"/>, through the queue.</summary>
    Retry,

    /// <summary>The deployment's fault: give the job back uncharged.</summary>
    Release,

    /// <summary>The job's deadline passed: store <c>expired</c>.</summary>
    Expired,

    /// <summary>Somebody asked for it: store <c>cancelled</c>.</summary>
    Cancelled,
}

/// <summary>How the work on one claimed job ended.</summary>
public sealed record CallOutcome
{
    /// <summary>What follows.</summary>
    public required CallVerdict Verdict { get; init; }

    /// <summary>The HTTP status of the last answer; null when there was none.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The provider's id of the last request.</summary>
    public string? RequestId { get; init; }

    /// <summary>The body of the last answer, as received; empty when there was none.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Code of the error; null with a completion.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>The error for people, without prompt text or secrets; null with a completion.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>What is special about the completion.</summary>
    public AnswerFlags Flags { get; init; }

    /// <summary>The deployment of the last call; null when none was made.</summary>
    public string? Deployment { get; init; }

    /// <summary>Tokens, summed over the calls of a job that made several.</summary>
    public TokenUsage Usage { get; init; }

    /// <summary>
    /// Whether some of these were not told by a provider, but are counted here (see <see cref="LlmOptions.EstimateUsage"/>).
    /// </summary>
    public bool IsUsageEstimated { get; init; }

    /// <summary>What these cost, each deployment once; empty when no price is known.</summary>
    public IReadOnlyList<JobCost> Costs { get; init; } = [];

    /// <summary>Attempts charged so far, those before this claim included.</summary>
    public int Attempts { get; init; }

    /// <summary>How often the model was asked again because its answer did not fit the schema of its prompt function.</summary>
    public int Reasks { get; init; }

    /// <summary>How long to wait before the next try, with <see cref="CallVerdict.Retry"/>.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>When the last call was started; default when none was.</summary>
    public DateTimeOffset Started { get; init; }
}

/// <summary>Tokens as the provider counted them.</summary>
/// <param name="Input">Of the prompt.</param>
/// <param name="Cached">Of these, from the provider's cache.</param>
/// <param name="Output">Of the completion.</param>
public readonly record struct TokenUsage(long Input, long Cached, long Output)
{
    /// <summary>What counts against a tokens/min quota.</summary>
    public long Total => Input + Output;

    /// <summary>The same total, of which so much is output.</summary>
    internal TokenUsage Split(long output)
    {
        var written = Math.Min(output, Total);
        return new TokenUsage(Total - written, Math.Min(Cached, Total - written), written);
    }

    /// <summary>The sum of two.</summary>
    public static TokenUsage operator +(TokenUsage left, TokenUsage right) =>
        new(left.Input + right.Input, left.Cached + right.Cached, left.Output + right.Output);
}
