using System.Globalization;

namespace LlmPipeline;

/// <summary>Durations as Go prints them, which is how OpenAI writes <c>x-ratelimit-reset-*</c>: <c>120ms</c>, <c>1.5s</c>, <c>6m0s</c>, <c>1h0m3s</c>.</summary>
internal static class GoDuration
{
    /// <summary>Rounded up to whole milliseconds; nothing below zero.</summary>
    public static string Format(TimeSpan duration)
    {
        var ms = (long)Math.Ceiling(duration.TotalMilliseconds);
        if (ms <= 0)
            return "0s";
        if (ms < 1000)
            return string.Create(CultureInfo.InvariantCulture, $"{ms}ms");
        var hours = ms / 3_600_000;
        var minutes = ms / 60_000 % 60;
        var seconds = ms % 60_000 / 1000m;
        return (hours, minutes) switch
        {
            (0, 0) => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.###}s"),
            (0, _) => string.Create(CultureInfo.InvariantCulture, $"{minutes}m{seconds:0.###}s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{hours}h{minutes}m{seconds:0.###}s"),
        };
    }
}
