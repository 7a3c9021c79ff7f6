using System.Globalization;

namespace LlmPipeline;

/// <summary>What calls for a job have cost.</summary>
/// <param name="Deployment">The endpoint that is paid; no control characters.</param>
/// <param name="Nanos">Billionths of the price table's currency, 0 or more: whole numbers, so that sums are exact.</param>
public readonly record struct JobCost(string Deployment, long Nanos)
{
    /// <summary>Nanos as an amount of the price table's currency.</summary>
    public static decimal Amount(long nanos) => nanos / 1_000_000_000m;

    /// <summary>An amount of the price table's currency as nanos.</summary>
    public static long NanosOf(decimal amount) => (long)decimal.Round(amount * 1_000_000_000m);

    /// <summary>As the scripts read it: a line each.</summary>
    internal static string Encode(IReadOnlyList<JobCost> costs) => costs.Count == 0 ? "" :
        string.Join('\n', costs.Select(cost => string.Create(CultureInfo.InvariantCulture, $"{cost.Nanos} {cost.Deployment}")));
}
