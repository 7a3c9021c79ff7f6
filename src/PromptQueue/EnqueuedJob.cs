namespace LlmPipeline;

/// <summary>A job of a stream, after its call.</summary>
/// <param name="Job">The job, as it was given.</param>
/// <param name="Outcome">What became of it.</param>
public readonly record struct EnqueuedJob(Job Job, EnqueueOutcome Outcome);
