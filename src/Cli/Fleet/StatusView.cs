namespace LlmPipeline;

/// <summary>Draws a status over and over on a terminal; elsewhere prints it when it has changed.</summary>
internal sealed class StatusView(bool json)
{
    private string _last = "";

    /// <returns>True when no later view can differ.</returns>
    public bool Show(BatchStatus status)
    {
        Draw(json ? FleetJson.Of(status) + "\n" : SafeText.Printable(status.ToText(), keepLineFeeds: true));
        return status.HasEnded;
    }

    public void Show(FleetStatus status) => Draw(json ? FleetJson.Of(status) + "\n" : SafeText.Printable(status.ToText(), keepLineFeeds: true));

    private void Draw(string text)
    {
        if (text == _last)
            return;
        // Up to the first line of the last view, and everything below away.
        if (_last.Length > 0 && !json && !Console.IsOutputRedirected)
            Console.Out.Write($"\u001b[{_last.Count(c => c == '\n')}F\u001b[J");
        Console.Out.Write(text);
        Console.Out.Flush();
        _last = text;
    }
}
