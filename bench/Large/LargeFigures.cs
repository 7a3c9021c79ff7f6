namespace LlmPipeline.Bench;

/// <summary>What a run of large rows has taken.</summary>
/// <param name="Time">From the first row's enqueueing to the last one's end.</param>
/// <param name="RedisBytes">The peak of redis-server's <c>used_memory</c>.</param>
/// <param name="WorkerMebibytes">The peak of the worker's resident memory.</param>
/// <param name="Longest">The script that Redis was busy with for the longest, and how long.</param>
internal sealed record LargeFigures(TimeSpan Time, long RedisBytes, double WorkerMebibytes, string Longest);
