using System.Globalization;

namespace LlmPipeline;

/// <summary>Parts of the progress view, and the whole of it in one line, for logs and terminals that cannot move their cursor.</summary>
internal static class ProgressText
{
    /// <summary>One line, such as <c>4,300/10,000 (43 %), 12 failed, …</c>.</summary>
    public static string Line(ProgressFigures figures)
    {
        List<string> parts =
        [
            $"{Count(figures.Done)}/{Count(figures.Rows)} done ({Percent(figures)})", $"{Count(figures.Failed)} failed",
            figures.Calls.ToString(), Rate(figures), Quota("requests", figures.RequestsPerMinute),
            Quota("tokens", figures.TokensPerMinute), $"{Count(figures.Retries)} retries",
        ];
        if (figures.Left is { } left && left > TimeSpan.Zero)
            parts.Add($"about {Time(left)} left ({Clock(figures.Now + left, figures.Now)})");
        if (Cost(figures) is { } cost)
            parts.Add(cost);
        if (figures.Limiting is { } limiting)
            parts.Add(limiting);
        return string.Join(", ", parts);
    }

    public static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Rounded down: 100 % is the end.</summary>
    public static string Percent(ProgressFigures figures) =>
        string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(figures.Share * 100):0} %");

    public static string Rate(ProgressFigures figures) =>
        figures.RowsPerSecond.ToString(figures.RowsPerSecond >= 100 ? "N0" : "0.0", CultureInfo.InvariantCulture) + " rows/s";

    /// <summary>Used, of what limit.</summary>
    public static string Quota(string unit, (long Used, long? Limit) quota) =>
        $"{Count(quota.Used)}{(quota.Limit is { } limit ? $" of {Count(limit)}" : "")} {unit}/min";

    /// <summary>The same in few columns.</summary>
    public static string ShortQuota((long Used, long? Limit) quota) =>
        $"{Count(quota.Used)}{(quota.Limit is { } limit ? $"/{Count(limit)}" : "")}";

    /// <summary>Spent, projected, budget; null where no price is known.</summary>
    public static string? Cost(ProgressFigures figures)
    {
        if (figures.Spent is not { } spent)
            return null;
        var projected = figures.Projected is { } end ? $", about {Money.About(end)} at the end" : "";
        return $"cost {Money.About(spent)}{projected}{(figures.Budget is { } budget ? $", budget {Money.Text(budget)}" : "")}";
    }

    /// <summary>The same in few columns.</summary>
    public static string? ShortCost(ProgressFigures figures)
    {
        if (figures.Spent is not { } spent)
            return null;
        var projected = figures.Projected is { } end ? $" → {Money.About(end)}" : "";
        return $"cost {Money.About(spent)}{projected}{(figures.Budget is { } budget ? $" of {Money.Text(budget)}" : "")}";
    }

    /// <summary>Failed rows by kind, the latest first; null where there are none.</summary>
    public static string? Failures(ProgressFigures figures) => figures.Failed == 0
        ? null
        : $"{Count(figures.Failed)} failed: {string.Join(", ", figures.Failures.Select(one => $"{one.Key} ({Count(one.Value)})"))}";

    /// <summary>A time, to the second below an hour.</summary>
    public static string Time(TimeSpan time) => time switch
    {
        { TotalDays: >= 10 } => "over 10 days",
        { TotalDays: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Days} d {time.Hours} h"),
        { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Hours} h {time.Minutes} min"),
        { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(time.TotalSeconds):0} s"),
    };

    /// <summary>A time of day by the local clock, with the date where that is another.</summary>
    public static string Clock(DateTimeOffset time, DateTimeOffset now) => time.ToLocalTime().ToString(
        time.ToLocalTime().Date == now.ToLocalTime().Date ? "HH:mm:ss" : "yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
