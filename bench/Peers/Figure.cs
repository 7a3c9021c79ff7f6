using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>Something that was measured, or the reason why it was not. Only two measured ones have a ratio.</summary>
internal sealed record Figure
{
    private readonly double _value;
    private readonly string _unit;
    private readonly string? _why;

    private Figure(double value, string unit, string? why)
    {
        _value = value;
        _unit = unit;
        _why = why;
    }

    /// <summary>What was measured; null when nothing was.</summary>
    public double? Value => _why is null ? _value : null;

    /// <summary>Why it was not measured; null when it was.</summary>
    public string? Why => _why;

    /// <summary>A measured value, with its unit as it is printed behind it. One that is not positive and finite is none.</summary>
    public static Figure Of(double value, string unit) =>
        double.IsFinite(value) && value > 0 ? new Figure(value, unit, null) : Missing(string.Create(CultureInfo.InvariantCulture, $"{value} is no measurement"));

    public static Figure Missing(string why) => new(double.NaN, "", why);

    /// <summary>This one over another; null when either was not measured.</summary>
    public double? Over(Figure other) => Value / other.Value;

    public override string ToString() => _why is { } why ? $"not measured: {why}" : Text(_value) + _unit;

    /// <summary>With as many digits as mean something.</summary>
    public static string Text(double value) => value.ToString(Math.Abs(value) >= 100 ? "N0" : Math.Abs(value) >= 10 ? "N1" : "N2", CultureInfo.InvariantCulture);
}
