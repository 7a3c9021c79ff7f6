using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>Text that a terminal shows as it is: no line wraps, and nothing scrolls away.</summary>
internal static class TerminalText
{
    private const char Cut = '…';

    /// <summary>Cuts lines that are wider, and the lines that are too many.</summary>
    /// <param name="text">Lines, each with its line feed.</param>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Lines, at least 1.</param>
    public static string Fit(string text, int width, int height)
    {
        var lines = text.Split('\n')[..^1];
        IEnumerable<string> shown = lines.Length <= height
            ? lines
            : [.. lines.Take(height - 1), string.Create(CultureInfo.InvariantCulture, $"{Cut} {lines.Length - height + 1} more lines")];
        return string.Concat(shown.Select(line => Fit(line, width) + "\n"));
    }

    /// <summary>Cuts a line that is wider.</summary>
    public static string Fit(string line, int width)
    {
        if (WidthOf(line) <= width)
            return line;
        var (fitting, used) = (new StringBuilder(), 0);
        foreach (var rune in line.EnumerateRunes())
        {
            used += WidthOf(rune);
            if (used > width - 1)
                break;
            fitting.Append(rune.ToString());
        }

        return fitting.Append(Cut).ToString();
    }

    /// <summary>A line for standard error: on a terminal, where a line would break within a word, it breaks between words.</summary>
    public static string ForError(string line) => Console.IsErrorRedirected ? line : OnTerminal(line);

    /// <summary>The same for standard output.</summary>
    public static string ForOutput(string line) => Console.IsOutputRedirected ? line : OnTerminal(line);

    /// <summary>Breaks a line between words. A word that is wider than the columns has a line of its own.</summary>
    /// <param name="line">Without line feeds.</param>
    /// <param name="width">Columns, at least 1.</param>
    public static IReadOnlyList<string> Wrap(string line, int width)
    {
        if (WidthOf(line) <= width)
            return [line];
        var lines = new List<string>();
        // Spaces at its beginning are its indentation.
        var start = line.Length - line.TrimStart(' ').Length;
        var current = new StringBuilder(line[..start]);
        var isEmpty = true;
        foreach (var word in line[start..].Split(' '))
        {
            if (!isEmpty && WidthOf(current.ToString()) + 1 + WidthOf(word) > width)
            {
                lines.Add(current.ToString());
                current.Clear().Append(' ', start);
            }
            else if (!isEmpty)
            {
                current.Append(' ');
            }

            current.Append(word);
            isEmpty = false;
        }

        lines.Add(current.ToString());
        return lines;
    }

    /// <summary>The columns that a line takes.</summary>
    public static int WidthOf(string line) => line.EnumerateRunes().Sum(WidthOf);

    private static string OnTerminal(string line) => Console.WindowWidth <= 1 ? line : string.Join('\n', Wrap(line, Console.WindowWidth - 1));

    // East Asian and emoji take two. Marks that take none count as one: a line is then cut a little early.
    private static int WidthOf(Rune rune) => rune.Value switch
    {
        < 0x1100 => 1,
        <= 0x115F or (>= 0x2E80 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF) => 2,
        (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6) => 2,
        // Between them are box and block characters, of one column.
        (>= 0x231A and <= 0x23FF) or (>= 0x25FD and <= 0x27BF) or (>= 0x1F300 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD) => 2,
        _ => 1,
    };
}
