namespace LlmPipeline;

/// <summary>
/// The live view of a run: three to five lines, none wider than the terminal. What does not fit is left out, the least important first.
/// </summary>
internal static class ProgressPanel
{
    private const int LongestBar = 30, ShortestBar = 5, MostLines = 5;

    /// <param name="figures">How far the run is.</param>
    /// <param name="width">The columns that a line may take.</param>
    /// <param name="isUnicode">Whether the terminal shows block characters.</param>
    /// <returns>The lines, each in parts of one colour.</returns>
    public static IReadOnlyList<IReadOnlyList<PanelPart>> Lines(ProgressFigures figures, int width, bool isUnicode)
    {
        var lines = new List<IReadOnlyList<PanelPart>> { Head(figures, width, isUnicode) };
        var calls = figures.Calls;
        var hasQuota = figures.RequestsPerMinute.Limit is not null || figures.TokensPerMinute.Limit is not null;
        lines.Add(Fitted(
            width,
            PanelColor.None,
            ", ",
            $"{ProgressText.Count(calls.InFlight)} calling",
            $"{ProgressText.Count(calls.WaitingForQuota + calls.WaitingForSlot)} waiting{(hasQuota ? " for quota" : "")}",
            $"{ProgressText.Count(calls.Retrying)} retrying",
            ProgressText.Rate(figures),
            $"{ProgressText.Count(figures.Retries)} retries"));
        lines.Add([new(FirstThatFits(
            width,
            $"{ProgressText.Quota("requests", figures.RequestsPerMinute)}, {ProgressText.Quota("tokens", figures.TokensPerMinute)}",
            $"{ProgressText.ShortQuota(figures.RequestsPerMinute)} requests, {ProgressText.ShortQuota(figures.TokensPerMinute)} tokens/min"),
            PanelColor.None)]);
        if (Money(figures, width) is { } money)
            lines.Add(money);
        if (figures.Limiting is { } limiting)
            lines.AddRange(Fitted(limiting, width, MostLines - lines.Count));
        return lines;
    }

    // What does not fit the last line is cut.
    private static IEnumerable<IReadOnlyList<PanelPart>> Fitted(string text, int width, int most)
    {
        var lines = TerminalText.Wrap(text, width);
        var last = string.Join(' ', lines.Skip(most - 1));
        return lines.Take(most - 1).Append(last).Where(line => line.Length > 0)
            .Select(line => (IReadOnlyList<PanelPart>)[new(Fit(line, width), PanelColor.Warning)]);
    }

    private static List<PanelPart> Head(ProgressFigures figures, int width, bool isUnicode)
    {
        var percent = ProgressText.Percent(figures);
        var texts = Heads(figures, percent, $"{ProgressText.Count(figures.Done)}/{ProgressText.Count(figures.Rows)}");
        var text = texts.FirstOrDefault(text => text.Length + 1 + ShortestBar <= width) ?? Fit(percent, width);
        var bar = Math.Min(LongestBar, width - text.Length - 1);
        if (bar < ShortestBar)
            return [new(text, PanelColor.None)];
        var full = (int)Math.Floor(figures.Share * bar);
        return
        [
            new(new string(isUnicode ? '█' : '#', full), PanelColor.Done), new(new string(isUnicode ? '░' : '-', bar - full), PanelColor.Faint),
            new(" " + text, PanelColor.None),
        ];
    }

    // The longest first.
    private static string[] Heads(ProgressFigures figures, string percent, string rows)
    {
        var elapsed = ProgressText.Time(figures.Elapsed);
        if (figures.Left is not { } time || time <= TimeSpan.Zero)
            return [$"{percent}  {rows}  {elapsed}", $"{percent} {rows}"];
        var (left, end) = (ProgressText.Time(time), ProgressText.Clock(figures.Now + time, figures.Now));
        return
        [
            $"{percent}  {rows}  {elapsed}, about {left} left ({end})", $"{percent} {rows}, {left} left ({end})", $"{percent} {rows}, {left} left",
            $"{percent}, {left} left",
        ];
    }

    // Cost and failures share a line: five are the most.
    private static List<PanelPart>? Money(ProgressFigures figures, int width)
    {
        var parts = new List<PanelPart>();
        if (ProgressText.Cost(figures) is { } cost)
        {
            var half = figures.Failed > 0 ? width / 2 : width;
            parts.Add(new(FirstThatFits(half, cost, ProgressText.ShortCost(figures)!), PanelColor.None));
        }

        if (ProgressText.Failures(figures) is { } failures)
        {
            var separator = parts.Count > 0 ? "; " : "";
            var left = width - separator.Length - parts.Sum(part => TerminalText.WidthOf(part.Text));
            parts.Add(new(separator + Fit(failures, left), PanelColor.Failure));
        }

        return parts.Count > 0 ? parts : null;
    }

    private static string FirstThatFits(int width, params string[] texts) =>
        texts.FirstOrDefault(text => TerminalText.WidthOf(text) <= width) ?? Fit(texts[^1], width);

    // As many of the parts as fit, the first ones.
    private static IReadOnlyList<PanelPart> Fitted(int width, PanelColor color, string separator, params string[] parts)
    {
        var count = parts.Length;
        while (count > 1 && string.Join(separator, parts.Take(count)).Length > width)
            count--;
        return [new(Fit(string.Join(separator, parts.Take(count)), width), color)];
    }

    private static string Fit(string text, int width) => TerminalText.Fit(text, Math.Max(1, width));
}
