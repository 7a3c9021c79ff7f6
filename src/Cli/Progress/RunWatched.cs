namespace LlmPipeline;

/// <summary>What the progress view of a run shows.</summary>
/// <param name="Tally">The rows that have ended.</param>
/// <param name="Spending">What the run costs.</param>
/// <param name="Worker">The worker that runs the rows.</param>
/// <param name="Caller">The caller of the endpoints.</param>
/// <param name="Rows">How many rows are to be called for.</param>
/// <param name="Concurrency">The most calls at the same time.</param>
internal sealed record RunWatched(RunTally Tally, RunSpending Spending, WorkerProcess Worker, LlmCaller Caller, int Rows, int Concurrency);
