namespace LlmPipeline;

/// <summary>What became of the jobs that a worker process held when it was told to stop.</summary>
/// <param name="Finished">Jobs that ended, with an answer or an error.</param>
/// <param name="GivenBack">Jobs that wait on their queue again.</param>
public sealed record StopSummary(long Finished, long GivenBack);
