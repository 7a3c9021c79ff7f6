namespace LlmPipeline;

/// <summary>What a model's tokens cost, each a million of them, in the currency that the whole table is in.</summary>
public sealed class TokenPrice
{
    /// <summary>The highest price that is believed.</summary>
    internal const decimal Highest = 10_000;

    // An answer that claims more is wrong, and must not spoil a sum.
    private const long MostTokens = 1_000_000_000;

    /// <summary>A million prompt tokens; 0 to 10,000, needed.</summary>
    public decimal? Input { get; set; }

    /// <summary>A million prompt tokens that the provider had cached; null for the price of <see cref="Input"/>.</summary>
    public decimal? CachedInput { get; set; }

    /// <summary>A million completion tokens; 0 to 10,000, needed (0 for embeddings).</summary>
    public decimal? Output { get; set; }

    /// <summary>What a call costs, in billionths of the currency, rounded to the nearest; null when it used no tokens, or too many to be true.</summary>
    /// <param name="usage">As the provider counted. Cached tokens are part of the prompt's.</param>
    public long? Nanos(TokenUsage usage)
    {
        if (usage.Total == 0 || usage.Input > MostTokens || usage.Output > MostTokens)
            return null;
        var cached = Math.Min(usage.Cached, usage.Input);
        // A millionth of a price is the price of a token; a billionth of the currency is the unit: a thousand of these to a price.
        return (long)decimal.Round(
            1000 * (((usage.Input - cached) * (Input ?? 0)) + (cached * (CachedInput ?? Input ?? 0)) + (usage.Output * (Output ?? 0))), MidpointRounding.AwayFromZero);
    }

    /// <summary>What is wrong with it, a line a fault.</summary>
    internal IEnumerable<string> Faults(string where)
    {
        foreach (var (name, value) in new[] { (nameof(Input), Input), (nameof(CachedInput), CachedInput), (nameof(Output), Output) })
        {
            if (value is null && name != nameof(CachedInput))
                yield return $"{where}.{name}: is missing: a price has Input and Output, each for a million tokens";
            if (value is < 0 or > Highest)
                yield return System.FormattableString.Invariant($"{where}.{name}: {value} is not from 0 to {Highest:0}");
        }
    }
}
