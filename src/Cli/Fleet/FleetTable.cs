using System.Text;

namespace LlmPipeline;

/// <summary>Columns for people: the first to the left, those of numbers to the right.</summary>
internal sealed class FleetTable(params string[] header)
{
    private readonly List<string[]> _rows = [header];

    public void Add(params string[] cells) => _rows.Add(Array.ConvertAll(cells, cell => SafeText.Printable(cell)));

    public override string ToString()
    {
        var widths = Enumerable.Range(0, header.Length).Select(column => _rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in _rows)
        {
            var cells = row.Select((cell, column) => IsNumber(column) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]));
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    private bool IsNumber(int column) => _rows.Count > 1 && _rows.Skip(1).All(row => row[column].Length > 0 && row[column].All(c => char.IsDigit(c) || c == ','));
}
