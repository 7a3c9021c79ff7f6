namespace LlmPipeline;

/// <summary>What the calls of a job have used, under all its claims until now.</summary>
/// <param name="Nanos">What they have cost, in billionths of the price table's currency; null when no price is known.</param>
/// <param name="Input">Tokens of the prompts.</param>
/// <param name="Cached">Of these, what the provider had in its cache.</param>
/// <param name="Output">Tokens of the answers.</param>
public readonly record struct JobUsage(long? Nanos, long Input, long Cached, long Output)
{
    /// <summary>The sum of two.</summary>
    public static JobUsage operator +(JobUsage one, JobUsage other) => new(
        one.Nanos is null && other.Nanos is null ? null : (one.Nanos ?? 0) + (other.Nanos ?? 0),
        one.Input + other.Input, one.Cached + other.Cached, one.Output + other.Output);
}
