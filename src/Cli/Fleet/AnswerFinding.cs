namespace LlmPipeline;

/// <summary>A completion that holds no answer.</summary>
/// <param name="Id">The job.</param>
/// <param name="What">Why it holds none.</param>
/// <param name="Repaired">Whether it counts as failed now.</param>
internal sealed record AnswerFinding(string Id, string What, bool Repaired);
