using System.Globalization;
using Spectre.Console;

namespace LlmPipeline;

/// <summary>
/// Draws the live view in place on a terminal, on standard error. Spectre.Console finds out what the terminal can do and writes the
/// colours. Its own live display is not used: it hides the cursor, which a killed run leaves hidden, and asks for all lines of the log.
/// </summary>
/// <remarks>Not safe for threads.</remarks>
internal sealed class LivePanel
{
    private const int UsualWidth = 80;
    // No line may wrap, whatever width Spectre.Console takes a character for: lines are cut before.
    private const int NoWidth = 10_000;
    private readonly StringWriter _buffer = new(CultureInfo.InvariantCulture);
    private readonly IAnsiConsole _console;
    private int _lines;

    private LivePanel(Capabilities terminal)
    {
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = terminal.ColorSystem == ColorSystem.NoColors ? ColorSystemSupport.NoColors : ColorSystemSupport.Standard,
            Out = new AnsiConsoleOutput(_buffer),
        });
        _console.Profile.Width = NoWidth;
        IsUnicode = terminal.Unicode;
    }

    /// <summary>Whether the terminal shows block characters.</summary>
    public bool IsUnicode { get; }

    /// <summary>The columns that a line may take; one that is as wide as the terminal wraps on some.</summary>
    public static int Width => (Console.WindowWidth > 0 ? Console.WindowWidth : UsualWidth) - 1;

    /// <summary>A panel; null where standard error is no terminal, or one that cannot move its cursor (<c>TERM=dumb</c>).</summary>
    public static LivePanel? OnTerminal() =>
        AnsiTerminal.Of(Console.Error, Console.IsErrorRedirected) is { } terminal ? new LivePanel(terminal.Profile.Capabilities) : null;

    /// <summary>Draws the lines over those before.</summary>
    public void Draw(IReadOnlyList<IReadOnlyList<PanelPart>> lines)
    {
        _buffer.Write(Erasure());
        foreach (var line in lines)
        {
            var text = new Paragraph();
            foreach (var part in line)
                text.Append(part.Text, StyleOf(part.Color));
            _console.Write(text);
            _console.WriteLine();
        }

        _lines = lines.Count;
        Flush();
    }

    /// <summary>A line above the view, which is drawn again the next time.</summary>
    public void WriteLine(string line)
    {
        _buffer.Write(Erasure() + line + "\n");
        Flush();
    }

    /// <summary>Removes the view.</summary>
    public void Erase()
    {
        _buffer.Write(Erasure());
        Flush();
    }

    // Up to the first line, and everything below away.
    private string Erasure()
    {
        var lines = _lines;
        _lines = 0;
        return lines == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"\u001b[{lines}F\u001b[J");
    }

    // In one piece, so that nothing flickers.
    private void Flush()
    {
        Console.Error.Write(_buffer.ToString());
        _buffer.GetStringBuilder().Clear();
    }

    private static Style StyleOf(PanelColor color) => color switch
    {
        PanelColor.Done => new Style(Color.Green),
        PanelColor.Faint => new Style(Color.Grey),
        PanelColor.Warning => new Style(Color.Yellow),
        PanelColor.Failure => new Style(Color.Red),
        _ => Style.Plain,
    };
}
