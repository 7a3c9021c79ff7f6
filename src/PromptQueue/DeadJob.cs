namespace LlmPipeline;

/// <summary>A dead letter.</summary>
/// <param name="Id">The job.</param>
/// <param name="Buried">When it was buried, by the clock of Redis.</param>
/// <param name="Job">The job as it was enqueued; null when it cannot be read.</param>
public sealed record DeadJob(string Id, DateTimeOffset Buried, Job? Job);
