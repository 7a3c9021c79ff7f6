using Spectre.Console;

namespace LlmPipeline;

/// <summary>
/// Tables on a terminal: Spectre.Console sets their headers off, and wraps the last column. The others never wrap: an id in pieces
/// cannot be copied.
/// </summary>
internal static class TerminalTable
{
    /// <summary>The terminal that standard output is; null where it is none, or one that shows plain text only.</summary>
    public static IAnsiConsole? OnOutput() => AnsiTerminal.Of(Console.Out, Console.IsOutputRedirected);

    /// <summary>The table, as wide as its content or the terminal.</summary>
    /// <param name="header">The names of the columns.</param>
    /// <param name="rows">The cells, printable.</param>
    /// <param name="isNumber">Whether a column, from 0, holds numbers.</param>
    public static Table Of(IReadOnlyList<string> header, IEnumerable<string[]> rows, Func<int, bool> isNumber)
    {
        var table = new Table { Border = TableBorder.None };
        for (var column = 0; column < header.Count; column++)
        {
            table.AddColumn(new TableColumn(new Text(header[column], new Style(decoration: Decoration.Bold)))
            {
                Alignment = isNumber(column) ? Justify.Right : Justify.Left,
                NoWrap = column < header.Count - 1,
                Padding = new Padding(0, 0, column < header.Count - 1 ? 2 : 0, 0),
            });
        }

        foreach (var row in rows)
            table.AddRow(row.Select(cell => new Text(cell)));
        return table;
    }
}
