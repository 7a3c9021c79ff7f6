namespace LlmPipeline;

/// <summary>What the progress view of a run looks at.</summary>
/// <param name="Tally">The rows that have ended.</param>
/// <param name="Spending">What the run costs.</param>
/// <param name="Worker">Who runs the rows.</param>
/// <param name="Caller">Who calls for them.</param>
/// <param name="Rows">How many are to be called for.</param>
/// <param name="Concurrency">The most calls at the same time.</param>
internal sealed record RunWatched(RunTally Tally, RunSpending Spending, WorkerProcess Worker, LlmCaller Caller, int Rows, int Concurrency);
