namespace LlmPipeline;

/// <summary>Tokens of an answer.</summary>
/// <param name="Input">Of the prompt.</param>
/// <param name="Output">Of the completion, reasoning included.</param>
internal sealed record DialectTokens(long Input, long Output);
