namespace LlmPipeline;

/// <summary>What is special about a completion.</summary>
[Flags]
public enum AnswerFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>
    /// The body is JSON for a tolerant reader only: it holds <c>NaN</c>, bytes that are not UTF-8, half of a surrogate pair, or the like.
    /// It is stored as
    /// received.
    /// </summary>
    Lenient = 1,

    /// <summary>It ends where it had the most tokens that it may have (<c>finish_reason</c> <c>length</c>).</summary>
    CutOff = 2,

    /// <summary>No choice has any text, tool call or refusal.</summary>
    Empty = 4,

    /// <summary>The model or the provider's filter refused to answer.</summary>
    Refused = 8,

    /// <summary>A simulator made it up: the answer has the header <c>x-llmpipeline-simulated</c>.</summary>
    Simulated = 16,
}
