namespace LlmPipeline;

/// <summary>Where a job is that the queue still has.</summary>
public enum JobState
{
    /// <summary>In a list, until a worker takes it.</summary>
    Waiting,

    /// <summary>Until its time comes: a delay, or a retry.</summary>
    Delayed,

    /// <summary>Under a lease.</summary>
    Running,

    /// <summary>Among the dead letters: it has ended with an error.</summary>
    Dead,
}

/// <summary>A job that the queue still has, as it was a moment ago.</summary>
/// <param name="Queue">The queue.</param>
/// <param name="Id">The job.</param>
/// <param name="State">Where it is.</param>
/// <param name="Buried">When it was buried; null for one that is not dead.</param>
/// <param name="Job">The job as it was enqueued; null when it cannot be read.</param>
public sealed record JobPlace(string Queue, string Id, JobState State, DateTimeOffset? Buried, Job? Job);
