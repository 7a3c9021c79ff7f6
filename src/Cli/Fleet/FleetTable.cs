using System.Text;

namespace LlmPipeline;

/// <summary>Columns for people: the first to the left, those of numbers to the right.</summary>
internal sealed class FleetTable(params string[] header)
{
    private const int ShortestLast = 10;
    private readonly List<string[]> _rows = [header];

    public void Add(params string[] cells) => _rows.Add(Array.ConvertAll(cells, cell => SafeText.Printable(cell)));

    /// <summary>Writes it to standard output: on a terminal so that it fits, as plain text elsewhere.</summary>
    /// <param name="leaveOut">The headers of the columns that a terminal may do without, the least important first.</param>
    public void Print(params string[] leaveOut)
    {
        if (TerminalTable.OnOutput() is { } terminal)
        {
            var table = Without(leaveOut, terminal.Profile.Width);
            // Spectre.Console shows nothing of columns that do not fit; the terminal wraps them.
            if (!table.Fits(terminal.Profile.Width))
                Console.Out.Write(table.ToString());
            else
                terminal.Write(TerminalTable.Of(table._rows[0], table._rows.Skip(1), table.IsNumber));
        }
        else
        {
            Console.Out.Write(ToString());
        }
    }

    /// <summary>The table as it fits: columns are left out, and then the first is cut.</summary>
    /// <param name="width">Columns of the terminal; null: all is shown.</param>
    /// <param name="leaveOut">The headers of the columns that may be left out, the least important first.</param>
    public string ToText(int? width, params string[] leaveOut)
    {
        var text = ToString();
        if (width is not { } most)
            return text;
        var table = Without(leaveOut, most);
        return table.Width() <= most ? table.ToString() : table.Narrowed(most).ToString();
    }

    public override string ToString()
    {
        var widths = Enumerable.Range(0, header.Length).Select(column => _rows.Max(row => TerminalText.WidthOf(row[column]))).ToArray();
        var text = new StringBuilder();
        foreach (var row in _rows)
        {
            var cells = row.Select((cell, column) => IsNumber(column) ? Space(cell, widths[column]) + cell : cell + Space(cell, widths[column]));
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    private static string Space(string cell, int width) => new(' ', width - TerminalText.WidthOf(cell));

    private int Width() => ToString().Split('\n').Max(TerminalText.WidthOf);

    // The last column may wrap.
    private bool Fits(int width) =>
        Enumerable.Range(0, header.Length - 1).Sum(column => _rows.Max(row => TerminalText.WidthOf(row[column])) + 2)
        + Math.Min(ShortestLast, _rows.Max(row => TerminalText.WidthOf(row[^1]))) <= width;

    private FleetTable Without(string[] columns, int most)
    {
        var table = this;
        foreach (var column in columns)
        {
            if (table.Width() <= most)
                break;
            table = table.Without(column);
        }

        return table;
    }

    private FleetTable Without(string name)
    {
        var at = Array.IndexOf(_rows[0], name);
        return at < 0 ? this : Of(_rows.Select(row => row.Where((_, column) => column != at).ToArray()));
    }

    private FleetTable Narrowed(int most)
    {
        var first = _rows.Max(row => TerminalText.WidthOf(row[0]));
        return Of(_rows.Select(row => (string[])[TerminalText.Fit(row[0], Math.Max(1, first - (Width() - most))), .. row[1..]]));
    }

    private static FleetTable Of(IEnumerable<string[]> rows)
    {
        var all = rows.ToList();
        var table = new FleetTable(all[0]);
        foreach (var row in all.Skip(1))
            table.Add(row);
        return table;
    }

    private bool IsNumber(int column) => _rows.Count > 1 && _rows.Skip(1).All(row => row[column].Length > 0 && row[column].All(c => char.IsDigit(c) || c == ','));
}
