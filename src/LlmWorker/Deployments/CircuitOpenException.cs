namespace LlmPipeline;

/// <summary>The circuit is open: nothing was sent.</summary>
internal sealed class CircuitOpenException(TimeSpan retryAfter) : Exception("The circuit is open.")
{
    /// <summary>How long until it is worth trying.</summary>
    public TimeSpan RetryAfter => retryAfter;
}
