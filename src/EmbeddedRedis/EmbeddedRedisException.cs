namespace LlmPipeline;

/// <summary>The embedded store could not be started. The message says why, on one line and for people.</summary>
public sealed class EmbeddedRedisException(string message, Exception innerException) : Exception(message, innerException);
