namespace LlmPipeline;

/// <summary>What the call of a row will probably use, by the counter of the quota.</summary>
/// <param name="Prompt">Its prompt tokens.</param>
/// <param name="Limit">The most tokens of each completion; null where the request sets none.</param>
/// <param name="Completions">How many completions it asks for; none of an embedding.</param>
internal readonly record struct RowTokens(long Prompt, long? Limit, long Completions)
{
    /// <summary>The tokens of a row's request.</summary>
    public static RowTokens Of(string model, string? path, ReadOnlySpan<byte> body)
    {
        var (prompt, limit, completions) = TokenCounter.Measure(model, path, body);
        return new RowTokens(prompt, limit, completions);
    }

    /// <summary>Its usage where each completion has this number of tokens, or the row's limit where that is lower.</summary>
    public TokenUsage With(long tokensOfCompletion) =>
        new(Prompt, 0, Math.Min(Math.Min(Limit ?? int.MaxValue, int.MaxValue), tokensOfCompletion) * Completions);
}
