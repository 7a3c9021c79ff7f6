namespace LlmPipeline;

/// <summary>How one HTTP call ended: with an answer, or with what stood in its way.</summary>
internal sealed record HttpAnswer
{
    /// <summary>The status; null when there was no whole answer.</summary>
    public int? Status { get; init; }

    /// <summary>The body as received.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>What the pipeline reads of the body.</summary>
    public AnswerBody Parsed { get; init; }

    /// <summary>Whether the provider reports no tokens, or only a total, and those in <see cref="Parsed"/> are counted here.</summary>
    public bool IsUsageEstimated { get; init; }

    /// <summary>Whether the body is the answer that was asked for; null where nobody has looked.</summary>
    public CompletionVerdict? Check { get; init; }

    public string? RequestId { get; init; }

    /// <summary>Whether it is a simulator's.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>Where a redirect points to.</summary>
    public Uri? Location { get; init; }

    public RateLimitHeaders Limits { get; init; } = new();

    /// <summary>Which of its deployment's calls it answers, see <see cref="RequestTokenLease.Number"/>.</summary>
    public long Number { get; init; }

    /// <summary>Why there was no answer; null when there was.</summary>
    public Exception? Failure { get; init; }

    /// <summary>When the call was sent.</summary>
    public DateTimeOffset Started { get; init; }
}
