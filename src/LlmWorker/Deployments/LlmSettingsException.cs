namespace LlmPipeline;

/// <summary>Settings of the LLM side that cannot work. The message is for people and names each field with its bounds; it holds no secrets.</summary>
public sealed class LlmSettingsException : Exception
{
    /// <summary>With the faults, a line each.</summary>
    public LlmSettingsException(string message)
        : base(message)
    {
    }
}
