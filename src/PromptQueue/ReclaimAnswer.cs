namespace LlmPipeline;

/// <summary>What a look for expired leases brought.</summary>
/// <param name="Returned">Jobs that wait again.</param>
/// <param name="Away">Whether Redis may have been away since the last look, so that its workers could not renew; then the look ended there.</param>
/// <param name="Time">When Redis answered, by the partition's time: that of Redis, but it goes on where Redis' clock steps back.</param>
/// <param name="SteppedBack">By how much Redis' clock has stepped back, which each step tells once; mostly zero.</param>
public readonly record struct ReclaimAnswer(int Returned, bool Away, DateTimeOffset Time, TimeSpan SteppedBack);
