namespace LlmPipeline;

/// <summary>What <c>doctor --answers</c> has found.</summary>
/// <param name="Answers">The batch, or the file.</param>
/// <param name="Completions">How many it looked at.</param>
/// <param name="Findings">Those without an answer.</param>
internal sealed record AnswersReport(string Answers, int Completions, IReadOnlyList<AnswerFinding> Findings)
{
    /// <summary>How many still count as completions.</summary>
    public int Left => Findings.Count(finding => !finding.Repaired);
}
