namespace LlmPipeline;

/// <summary>The job of a call, whose request is held only until it is on its queue.</summary>
internal sealed class OutgoingJob(Job job, CountedBytes bytes)
{
    private Job? _job = job;

    public string Id { get; } = job.Id;

    public string Queue { get; } = job.Queue;

    /// <summary>Enqueues it, once.</summary>
    /// <exception cref="QueueFullException">The queue takes no more for now.</exception>
    public async Task EnqueueAsync(PromptQueue queue)
    {
        try
        {
            if ((await queue.EnqueueAsync([_job!]))[0] == EnqueueOutcome.Full)
                throw new QueueFullException(Queue);
        }
        finally
        {
            _job = null;
            bytes.Return();
        }
    }
}
