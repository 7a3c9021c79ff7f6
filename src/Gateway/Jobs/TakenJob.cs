namespace LlmPipeline;

/// <summary>A job that was taken.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Record">What is known of it.</param>
/// <param name="IsKnown">Whether it was there before, by its idempotency key.</param>
internal sealed record TakenJob(string Id, JobRecord Record, bool IsKnown);
