namespace LlmPipeline;

/// <summary>The quota's gate stays closed longer than a call should wait.</summary>
internal sealed class QuotaClosedException(TimeSpan retryAfter) : Exception("The quota's gate is closed.")
{
    public TimeSpan RetryAfter { get; } = retryAfter;
}
