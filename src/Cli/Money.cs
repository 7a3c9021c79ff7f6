using System.Globalization;

namespace LlmPipeline;

/// <summary>Amounts of the price table's currency, for people and in JSON.</summary>
internal static class Money
{
    /// <summary>Exact, with two decimals at least.</summary>
    public static string Text(long nanos) => JobCost.Amount(nanos).ToString("#,0.00#######", CultureInfo.InvariantCulture);

    /// <inheritdoc cref="Text(long)"/>
    public static string Text(decimal amount) => Text(JobCost.NanosOf(amount));

    /// <summary>Of an estimate: four decimals at most, where that leaves anything of it.</summary>
    public static string About(decimal nanos) => nanos is 0 or >= 1_000_000 ? (nanos / 1_000_000_000m).ToString("#,0.00##", CultureInfo.InvariantCulture) : Text((long)nanos);

    public static decimal? Amount(long? nanos) => nanos is { } known ? JobCost.Amount(known) : null;
}
