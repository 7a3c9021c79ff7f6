namespace LlmPipeline;

/// <summary>A job has more bytes than its queue takes, with what goes around its request. The message has both numbers.</summary>
public sealed class JobTooLargeException(Job job, string message) : ArgumentException(message)
{
    /// <summary>The job.</summary>
    public Job Job { get; } = job;
}
