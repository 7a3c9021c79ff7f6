namespace LlmPipeline;

/// <summary>
/// A refusal of a job that may concern more than the job: workers judge it together. A success of the same scope since then shows that it is
/// the job's own.
/// </summary>
/// <param name="Scope">A hash of what was refused: deployment, account, model, path or batch.</param>
/// <param name="Since">When it was first refused, by the clock of this process.</param>
/// <param name="HasAnswered">Whether that scope had brought an answer before.</param>
internal readonly record struct JobRefusal(ulong Scope, DateTimeOffset Since, bool HasAnswered);
