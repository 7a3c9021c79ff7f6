namespace LlmPipeline;

/// <summary>How the memory of a stream's reader is counted.</summary>
/// <param name="ResultArrived">Receives the size of the result before it is fetched; the fetch waits for it.</param>
/// <param name="Count">Receives the bytes of deltas that are added to what waits for the reader, and the negative of those that are removed.</param>
/// <param name="IsScarce">Whether little is left, so that a stream is paused early.</param>
public sealed record StreamMemory(Func<long, Task> ResultArrived, Action<long> Count, Func<bool> IsScarce);
