namespace LlmPipeline;

/// <summary>What a played completion used.</summary>
/// <param name="Input">Tokens of the prompt.</param>
/// <param name="Output">Tokens of the completion, reasoning included.</param>
internal sealed record PlayedTokens(int Input, int Output);
