namespace LlmPipeline;

/// <summary>What a call will probably cost in tokens.</summary>
/// <param name="Prompt">The tokens of its prompt.</param>
/// <param name="Held">What the provider holds of the limit, beside the prompt, until it has answered: max_tokens, or what stands in for it.</param>
/// <param name="Expected">What the completion will probably be.</param>
internal readonly record struct TokenEstimate(int Prompt, int Held, int Expected)
{
    /// <summary>To reserve in the minute.</summary>
    public int Reserve => (int)Math.Min(int.MaxValue, (long)Prompt + Held);

    /// <summary>To pace by.</summary>
    public int Pace => (int)Math.Min(int.MaxValue, (long)Prompt + Expected);
}
