namespace LlmPipeline;

/// <summary>What the <see cref="QueueDoctor"/> found.</summary>
/// <param name="Jobs">Jobs that the queue has, wherever they are.</param>
/// <param name="Findings">What is wrong; nothing in a healthy queue.</param>
public sealed record DoctorReport(long Jobs, IReadOnlyList<DoctorFinding> Findings);

/// <summary>Something that is not as it should be.</summary>
/// <param name="What">For people.</param>
/// <param name="Id">The job or the batch; null when it is about neither.</param>
/// <param name="Repaired">Whether it was mended.</param>
public sealed record DoctorFinding(string What, string? Id, bool Repaired);
