using Sylvan.Data.Csv;

namespace LlmPipeline;

/// <summary>The columns of a CSV file: which are variables, and which one names the rows.</summary>
internal sealed class RowCsvColumns(InputOptions options)
{
    private string[] _names = [];
    private int _customId = -1;
    private int _id = -1;
    private int _model = -1;

    public int Count => _names.Length;

    /// <summary>Takes the header. Answers what is wrong with it, or null.</summary>
    public RowFault? Set(string[] names)
    {
        _names = names;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var required = new RowRequired(options);
        foreach (var name in names)
        {
            if (name.Length > 0 && !seen.Add(name) && IsUsed(name)) return new(name, "two columns have this name");
            required.Found(name);
            required.Found(RowNames.Variable(name));
        }

        _customId = options.IdColumn is null ? Array.IndexOf(names, "custom_id") : -1;
        _id = Array.IndexOf(names, options.IdColumn ?? (options.UsesId ? "id" : null));
        _model = options.HasRowModels ? Array.IndexOf(names, "model") : -1;
        if (options.IdColumn is { } wanted && _id < 0)
        {
            var nearest = RowNames.Nearest(wanted, names);
            return new(wanted, $"--id names it, and the file has the columns {RowNames.List(names)}{(nearest is null ? "" : $"; is it {nearest}?")}");
        }

        return required.HeaderFault(names);
    }

    public RowFault? Row(CsvDataReader csv, RowPlace place, bool whole, out InputRow? row)
    {
        row = null;
        var column = _customId >= 0 && csv.GetFieldSpan(_customId).Length > 0 ? _customId : _id;
        var id = column < 0 ? "" : csv.GetString(column);
        var model = _model < 0 ? "" : csv.GetString(_model).Trim();
        if (model.Length > 0 && RowModel.Fault(model) is { } what) return new("model", what);
        if (options.IdColumn is not null && id.Length == 0) return new(options.IdColumn, "empty, and --id names rows by it");
        row = new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = id.Length > 0 ? id : place.Id,
            IdField = id.Length > 0 ? _names[column] : null,
            Model = model.Length > 0 ? model : options.RowModel,
            HasOwnModel = model.Length > 0,
            Variables = whole ? VariablesOf(csv) : null,
            Cells = whole ? CellsOf(csv) : null,
        };
        return null;
    }

    // Columns that nothing is read from may have the same name: they only come back.
    private bool IsUsed(string name) =>
        options.Variables.Concat(options.RequiredVariables).Any(variable => variable == name || variable == RowNames.Variable(name))
        || name == options.IdColumn
        || (options.IdColumn is null && (name == "custom_id" || (name == "id" && options.UsesId)))
        || (name == "model" && options.HasRowModels);

    private string[] CellsOf(CsvDataReader csv)
    {
        var cells = new string[_names.Length];
        for (var i = 0; i < cells.Length; i++) cells[i] = csv.GetString(i);
        return cells;
    }

    private Dictionary<string, string> VariablesOf(CsvDataReader csv)
    {
        var variables = new Dictionary<string, string>(_names.Length, StringComparer.Ordinal);
        for (var i = 0; i < _names.Length; i++)
        {
            if (_names[i].Length > 0) variables.TryAdd(_names[i], csv.GetString(i));
        }

        RowParser.AddReachable(variables);
        return variables;
    }
}
