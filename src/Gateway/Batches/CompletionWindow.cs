using System.Globalization;

namespace LlmPipeline;

/// <summary>How long a batch may take: <c>24h</c> as the original has it, and any <c>Nm</c>, <c>Nh</c>, <c>Nd</c> up to 14 days, well within the life of results.</summary>
internal static class CompletionWindow
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(14);

    public const string Rule = "'completion_window' must be '24h' (or a number of minutes, hours or days such as '30m', '6h', '7d', up to 14 days).";

    /// <summary>Reads one; null when it is none.</summary>
    public static TimeSpan? Parse(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 100_000)
            return null;
        TimeSpan? window = text[^1] switch { 'm' => TimeSpan.FromMinutes(number), 'h' => TimeSpan.FromHours(number), 'd' => TimeSpan.FromDays(number), _ => null };
        return window <= Longest ? window : null;
    }
}
