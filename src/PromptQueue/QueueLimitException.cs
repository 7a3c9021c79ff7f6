namespace LlmPipeline;

/// <summary>A job names a queue that does not exist, and there are <see cref="PromptQueueOptions.MaxQueues"/> queues already.</summary>
public sealed class QueueLimitException(string queue, int most)
    : Exception($"there are {most} queues (MaxQueues), and no queue for model {queue}: none is created")
{
    /// <summary>The queue.</summary>
    public string Queue { get; } = queue;

    /// <summary>The most queues.</summary>
    public int MaxQueues { get; } = most;
}
