using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Reads how long to wait out of one value, in any spelling that providers are known to send: a duration (<c>1m30.5s</c>, <c>250ms</c>,
/// <c>26 seconds</c>, <c>00:00:02</c>, <c>PT36S</c>), seconds, Unix time in seconds, milliseconds or finer, an HTTP date, an ISO 8601
/// date, or a time of the day with its zone (<c>14:05 UTC</c>).
/// </summary>
internal static partial class ProviderWait
{
    /// <summary>
    /// The longest wait that is read as such; a monthly limit resets within it. <see cref="LlmOptions.MaxRetryAfter"/> says what of it is
    /// trusted.
    /// </summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(31);

    /// <summary>One number with its unit, or several of them; shared with <see cref="ThrottleNotice"/>.</summary>
    internal const string DurationPattern = Part + @"(?:(?:\s|,|and){0,6}" + Part + "){0,5}";

    /// <summary>A time of the day with its zone; shared with <see cref="ThrottleNotice"/>.</summary>
    internal const string TimeOfDayPattern =
        @"(?<hour>\d{1,2}):(?<minute>\d\d)(?::(?<second>\d\d))?(?:\s?(?<half>[ap])\.?m\b\.?)?\s?\(?"
        + @"(?:(?:UTC|GMT|Z)\b|(?<sign>[+-])(?<zoneHour>\d\d):?(?<zoneMinute>\d\d)\b)\)?";

    private const string Part =
        @"\d{1,12}(?:\.\d{1,12})?\s?"
        + "(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|milliseconds?|millis|msecs?|ms|us|µs|μs|ns)(?![a-zA-Z])";

    // As seconds the first would be 31 years, so it is a point in time. As a point in seconds the second would be after the year 5000.
    private const double FirstPointInTime = 1e9;
    private const double LastPointInSeconds = 1e11;

    // Between two clocks, and the time that an answer takes.
    private static readonly TimeSpan JustPassed = TimeSpan.FromHours(1);

    /// <summary>
    /// The wait from <paramref name="now"/>: zero for what has passed, at most <see cref="Longest"/>, null for what cannot be read or is
    /// negative.
    /// </summary>
    public static TimeSpan? Read(string? text, DateTimeOffset now)
    {
        text = text?.Trim().Trim('"');
        if (string.IsNullOrEmpty(text) || text.Length > 100)
            return null;
        return Number(text) is { } number
            ? OfSeconds(number, now)
            : Duration(text) ?? Clock(text) ?? TimeOfDay(text, now) ?? Date(text, now);
    }

    /// <summary>The same for a value that counts milliseconds.</summary>
    public static TimeSpan? ReadMilliseconds(string? text, DateTimeOffset now) =>
        Number(text?.Trim().Trim('"')) is { } number ? OfSeconds(number / 1000, now) : null;

    /// <summary>The same for a number of seconds, which may be Unix time.</summary>
    public static TimeSpan? OfSeconds(double seconds, DateTimeOffset now)
    {
        if (!double.IsFinite(seconds) || seconds < 0)
            return null;
        if (seconds < FirstPointInTime)
            return Bounded(seconds);
        while (seconds > LastPointInSeconds)
            seconds /= 1000;
        return Bounded(seconds - (now - DateTimeOffset.UnixEpoch).TotalSeconds);
    }

    // Go's durations and words for them; ISO 8601's become Go's by leaving out what is not needed to read them.
    private static TimeSpan? Duration(string text)
    {
        if (text.Length > 2 && text[0] == 'P' && text.AsSpan().IndexOfAnyExcept("PTDHMS0123456789.") < 0)
            text = text.Replace("P", "", StringComparison.Ordinal).Replace("T", "", StringComparison.Ordinal).ToLowerInvariant();
        if (!Durations().IsMatch(text))
            return null;
        var seconds = 0.0;
        foreach (Match part in Parts().Matches(text))
        {
            var unit = part.Groups[2].ValueSpan;
            seconds += double.Parse(part.Groups[1].ValueSpan, CultureInfo.InvariantCulture) * unit switch
            {
                "ns" => 1e-9,
                "us" or "µs" or "μs" => 1e-6,
                _ when unit.StartsWith("ms") || unit.StartsWith("mil", StringComparison.OrdinalIgnoreCase) => 1e-3,
                _ => char.ToLowerInvariant(unit[0]) switch { 'd' => 86_400, 'h' => 3600, 'm' => 60, _ => 1 },
            };
        }
        return Bounded(seconds);
    }

    private static TimeSpan? Clock(string text) =>
        Clocks().IsMatch(text) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span) ? Bounded(span.TotalSeconds) : null;

    // The next one; one that has just passed is over, and not a day away.
    private static TimeSpan? TimeOfDay(string text, DateTimeOffset now)
    {
        if (TimesOfDay().Match(text) is not { Success: true } match)
            return null;
        var (hour, minute, second) = (Of("hour"), Of("minute"), Of("second"));
        if (match.Groups["half"] is { Success: true, ValueSpan: var half })
            hour = hour is >= 1 and <= 12 ? (hour % 12) + (half is "p" or "P" ? 12 : 0) : 24;
        if (hour > 23 || minute > 59 || second > 59)
            return null;
        var zone = new TimeSpan(Of("zoneHour"), Of("zoneMinute"), 0);
        var time = new TimeSpan(hour, minute, second) - (match.Groups["sign"].Value == "-" ? -zone : zone);
        var seconds = (time - now.UtcDateTime.TimeOfDay).TotalSeconds;
        while (seconds < -JustPassed.TotalSeconds)
            seconds += TimeSpan.SecondsPerDay;
        return Bounded(seconds % TimeSpan.SecondsPerDay);

        int Of(string name) => match.Groups[name] is { Success: true } group ? int.Parse(group.ValueSpan, CultureInfo.InvariantCulture) : 0;
    }

    // Without a year it would be the date of some day by this machine's clock.
    private static TimeSpan? Date(string text, DateTimeOffset now) =>
        Years().IsMatch(text)
        && DateTimeOffset.TryParse(
            text.Replace("UTC", "Z", StringComparison.Ordinal), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? Bounded((date - now).TotalSeconds)
            : null;

    private static double? Number(string? text)
    {
        const NumberStyles Styles = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign;
        return double.TryParse(text, Styles, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    private static TimeSpan Bounded(double seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, Longest.TotalSeconds));

    [GeneratedRegex("^" + DurationPattern + "$", RegexOptions.IgnoreCase)]
    private static partial Regex Durations();

    [GeneratedRegex(@"(\d+(?:\.\d+)?)\s?([a-zµμ]+)", RegexOptions.IgnoreCase)]
    private static partial Regex Parts();

    [GeneratedRegex(@"^(\d{1,2}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,7})?$")]
    private static partial Regex Clocks();

    [GeneratedRegex("^" + TimeOfDayPattern + "$", RegexOptions.IgnoreCase)]
    private static partial Regex TimesOfDay();

    [GeneratedRegex(@"(?<!\d)(19|20|21)\d\d(?!\d)")]
    private static partial Regex Years();
}
