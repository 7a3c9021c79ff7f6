namespace LlmPipeline;

/// <summary>Redis takes a value at no time.</summary>
internal sealed class ValueRefusedException(string message, Exception? cause = null) : Exception(message, cause);
