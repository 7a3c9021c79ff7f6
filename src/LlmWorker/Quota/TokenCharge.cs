namespace LlmPipeline;

/// <summary>What a provider counts of a call against its tokens/min.</summary>
public enum TokenCharge
{
    /// <summary>
    /// What it used: prompt and max_tokens are held until the answer, then corrected to its usage. OpenAI ("the maximum of max_tokens and the estimated number
    /// of tokens") and most others.
    /// </summary>
    Used,

    /// <summary>What it reserved, prompt and max_tokens, for good. Azure OpenAI: its count is of an estimate made when the call comes.</summary>
    Reserved,
}
