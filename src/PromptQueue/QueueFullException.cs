namespace LlmPipeline;

/// <summary>A queue has as many waiting jobs as <see cref="PromptQueueOptions.MaxWaiting"/> allows: try again later.</summary>
public sealed class QueueFullException(string queue) : Exception($"queue {queue} is full: try again later")
{
    /// <summary>The queue.</summary>
    public string Queue { get; } = queue;
}
