namespace LlmPipeline;

/// <summary>Prints a status, or draws it over and over on a terminal; elsewhere a watched status is printed when it has changed.</summary>
/// <param name="json">Whether each view is a line of JSON.</param>
/// <param name="isWatched">Whether there are views after the first.</param>
internal sealed class StatusView(bool json, bool isWatched)
{
    // What a terminal has that does not tell its size.
    private const int UsualWidth = 80, UsualHeight = 24;
    private string _last = "";

    public bool IsWatched => isWatched;

    private bool IsDrawn => isWatched && !json && !Console.IsOutputRedirected;

    // A line as wide as the terminal would wrap on some.
    private static int Width => (Console.WindowWidth > 0 ? Console.WindowWidth : UsualWidth) - 1;

    private static int Height => (Console.WindowHeight > 0 ? Console.WindowHeight : UsualHeight) - 1;

    public void Show(BatchStatus status) => Print(json ? FleetJson.Of(status) + "\n" : SafeText.Printable(status.ToText(), keepLineFeeds: true));

    public void Show(FleetStatus status)
    {
        if (!json && !isWatched && TerminalTable.OnOutput() is not null)
            status.Print();
        else
            Show(status, IsDrawn ? Width : null);
    }

    private void Show(FleetStatus status, int? width) => Print(json ? FleetJson.Of(status) + "\n" : SafeText.Printable(status.ToText(width), keepLineFeeds: true));

    private void Print(string text)
    {
        if (IsDrawn)
            text = TerminalText.Fit(text, Width, Height);
        if (text == _last)
            return;
        // Up to the first line of the last view, and everything below away. No line of it has wrapped.
        if (_last.Length > 0 && IsDrawn)
            Console.Out.Write($"\u001b[{_last.Count(c => c == '\n')}F\u001b[J");
        Console.Out.Write(text);
        Console.Out.Flush();
        _last = text;
    }
}
