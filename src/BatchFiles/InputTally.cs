using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>Adds up what a check sees, and compares the rows with each other.</summary>
internal sealed class InputTally(int? maxRows)
{
    private const int MaxErrors = 20;

    private readonly Dictionary<string, int> _models = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _urls = new(StringComparer.Ordinal);
    private readonly List<InputError> _errors = [];
    private RowIds _ids = new();
    private long _errorCount;
    private int _rows;
    private bool _isFull;

    public void Add(RowResult result, InputKind? kind)
    {
        var error = result.Row is { } row ? Add(row, kind) : result.Error;
        if (error is null) return;
        _errorCount++;
        if (_errors.Count < MaxErrors) _errors.Add(error);
    }

    /// <summary>What was found. The names are let go: whoever awaits the check goes on above its frame, which would keep them.</summary>
    public InputSummary Finish(RowSource source, InputStamp stamp)
    {
        _ids = new RowIds();
        return Summary(source, stamp);
    }

    private InputSummary Summary(RowSource source, InputStamp stamp) => new()
    {
        Kind = source.Kind,
        Rows = _rows,
        BlankLines = source.BlankLines,
        Bytes = stamp.Bytes,
        ContentHash = stamp.Hash,
        Models = _models,
        Urls = _urls,
        Errors = _errors,
        ErrorCount = _errorCount,
        CsvHeader = source.CsvHeader,
    };

    private InputError? Add(InputRow row, InputKind? kind)
    {
        if (_rows >= maxRows)
        {
            if (_isFull) return null;
            _isFull = true;
            return new(row.Line, null, $"the file has more than {maxRows} requests") { Code = InputError.TooMany };
        }

        // Rows of these kinds never have names of their own, and lines have different numbers.
        var unique = kind is InputKind.Text or InputKind.Requests;
        if (!unique && _ids.Add(row.CustomId, row.Line) is > 0 and var first) return Repeated(row, first);
        if (_models.Count >= RowModel.MaxPerFile && !_models.ContainsKey(row.Model))
            return new(row.Line, "model", $"the file names more than {RowModel.MaxPerFile} models");
        CollectionsMarshal.GetValueRefOrAddDefault(_models, row.Model, out _)++;
        if (row.Url is not null) CollectionsMarshal.GetValueRefOrAddDefault(_urls, row.Url, out _)++;
        _rows++;
        return null;
    }

    private static InputError Repeated(InputRow row, int first)
    {
        var name = InputError.Shown(row.CustomId);
        var what = row.IdField is null
            ? $"line {first} is named \"{name}\", which is the name of this line, as it has none of its own"
            : $"\"{name}\" is the name of line {first} already";
        return new(row.Line, row.IdField ?? "custom_id", what) { Code = InputError.DuplicateId };
    }
}
