using Sylvan.Data.Csv;

namespace LlmPipeline;

/// <summary>The columns of a CSV file: which are variables, and which one names the rows.</summary>
internal sealed class RowCsvColumns(InputOptions options)
{
    private string[] _names = [];
    private int _customId = -1;
    private int _id = -1;

    public int Count => _names.Length;

    /// <summary>The comma if the header has one outside quotes, else the semicolon or the tab if it has that.</summary>
    public static char DelimiterOf(ReadOnlySpan<char> header)
    {
        var quoted = false;
        bool semicolon = false, tab = false;
        foreach (var c in header)
        {
            if (c == '"') quoted = !quoted;
            if (quoted) continue;
            if (c == ',') return ',';
            semicolon |= c == ';';
            tab |= c == '\t';
        }

        return semicolon ? ';' : tab ? '\t' : ',';
    }

    /// <summary>Takes the header. Answers what is wrong with it, or null.</summary>
    public RowFault? Set(string[] names)
    {
        _names = names;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var required = new RowRequired(options);
        foreach (var name in names)
        {
            if (name.Length > 0 && !seen.Add(name)) return new(name, "two columns have this name");
            required.Found(name);
        }

        _customId = Array.IndexOf(names, "custom_id");
        _id = Array.IndexOf(names, "id");
        return required.Fault();
    }

    public InputRow Row(CsvDataReader csv, RowPlace place, bool whole)
    {
        var column = _customId >= 0 && csv.GetFieldSpan(_customId).Length > 0 ? _customId : _id;
        var id = column < 0 ? "" : csv.GetString(column);
        return new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = id.Length > 0 ? id : place.Id,
            IdField = id.Length > 0 ? _names[column] : null,
            Model = options.RowModel,
            Variables = whole ? VariablesOf(csv) : null,
        };
    }

    private Dictionary<string, string> VariablesOf(CsvDataReader csv)
    {
        var variables = new Dictionary<string, string>(_names.Length, StringComparer.Ordinal);
        for (var i = 0; i < _names.Length; i++)
        {
            if (_names[i].Length > 0) variables.Add(_names[i], csv.GetString(i));
        }

        return variables;
    }
}
