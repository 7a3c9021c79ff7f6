namespace LlmPipeline;

/// <summary>A prompt function that cannot be loaded, or variables that do not fit it. The message is one line for people.</summary>
public sealed class PromptFunctionException : Exception
{
    /// <summary>With what is wrong and where, in one line.</summary>
    public PromptFunctionException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
