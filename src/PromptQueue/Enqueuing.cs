namespace LlmPipeline;

/// <summary>Enqueues single jobs in one line.</summary>
public static class Enqueuing
{
    /// <summary>Enqueues a prompt as one user message of a chat completion.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="model">The model, which is the queue's name.</param>
    /// <param name="prompt">The text, as it is.</param>
    /// <param name="options">What else there is to say; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it; the job may be enqueued then.</param>
    /// <returns>The job's id, for <c>ResultStore.WaitAsync</c>.</returns>
    /// <exception cref="ArgumentException">A name is not allowed, or the prompt is too long.</exception>
    public static Task<string> EnqueueAsync(this PromptQueue queue, string model, string prompt, JobOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return queue.EnqueueAsync(model, RequestWork.OfPrompt(model, prompt), options, cancellationToken);
    }

    /// <summary>Enqueues a request or a prompt function.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="model">The model, which is the queue's name.</param>
    /// <param name="work">A <see cref="RequestWork"/>, or a <see cref="PromptWork"/> whose files were given to <see cref="PromptQueue.SavePromptAsync"/>.</param>
    /// <param name="options">What else there is to say; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it; the job may be enqueued then.</param>
    /// <returns>The job's id, for <c>ResultStore.WaitAsync</c>.</returns>
    /// <exception cref="ArgumentException">A name is not allowed, or the work is too large.</exception>
    /// <exception cref="QueueFullException">The queue takes no more for now.</exception>
    public static async Task<string> EnqueueAsync(this PromptQueue queue, string model, JobWork work, JobOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queue);
        options ??= new JobOptions();
        var job = new Job
        {
            Id = options.IdempotencyKey is { } key ? Job.IdFor(key) : $"j-{Guid.CreateVersion7():N}",
            Queue = model,
            Work = work,
            Lane = options.Lane,
            Delay = options.Delay,
            Deadline = options.Deadline,
            MaxAttempts = options.MaxAttempts,
            AttemptTimeout = options.AttemptTimeout,
            CustomId = options.CustomId,
            Metadata = options.Metadata,
        };
        var outcome = await queue.EnqueueAsync([job], cancellationToken: cancellationToken).ConfigureAwait(false);
        return outcome[0] == EnqueueOutcome.Full ? throw new QueueFullException(model) : job.Id;
    }
}
