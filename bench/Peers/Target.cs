using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>What a ratio, or a figure where there is nothing to compare it with, has to come to.</summary>
/// <param name="Bound">The number.</param>
/// <param name="IsAtLeast">Whether more is better.</param>
/// <param name="Of">What it is a multiple of, for people; null for the figure itself.</param>
internal sealed record Target(double Bound, bool IsAtLeast, string? Of)
{
    public static Target AtLeast(double times, string of) => new(times, true, of);

    public static Target AtMost(double times, string of) => new(times, false, of);

    /// <summary>The figure itself.</summary>
    public static Target AtLeast(double value) => new(value, true, null);

    public bool IsReachedBy(double value) => IsAtLeast ? value >= Bound : value <= Bound;

    public override string ToString()
    {
        var bound = Bound.ToString(Bound >= 1000 ? "N0" : "0.##", CultureInfo.InvariantCulture);
        return $"{(IsAtLeast ? "≥" : "≤")} {bound}{(Of is { } of ? $" × {of}" : "")}";
    }
}
