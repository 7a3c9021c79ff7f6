using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>Adds up what a check sees, and compares the rows with each other.</summary>
internal sealed class InputTally(int? maxRows, bool usesId, bool hasSeveralFiles)
{
    private const int MaxErrors = 20;

    private readonly Dictionary<string, int> _models = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _urls = new(StringComparer.Ordinal);
    private readonly List<InputError> _errors = [];
    private readonly List<(string Path, int Before)> _files = [];
    private RowIds _ids = new();
    private long _errorCount;
    private int _rows;
    private int _rowsWithoutModel;
    private int _lines;
    private bool _isFull;

    public void Add(RowResult result, InputKind? kind, string file)
    {
        var error = result.Row is { } row ? Add(row, kind, file) : result.Error;
        if (error is null) return;
        _errorCount++;
        if (_errors.Count < MaxErrors) _errors.Add(hasSeveralFiles ? error with { File = file } : error);
    }

    /// <summary>What was found. The names are let go: whoever awaits the check goes on above its frame, which would keep them.</summary>
    public InputSummary Finish(IReadOnlyList<InputPart> parts)
    {
        _ids = new RowIds();
        return Summary([.. parts.Where(part => part.Form is not null)]);
    }

    private InputSummary Summary(IReadOnlyList<InputPart> parts)
    {
        var first = parts.Count > 0 ? parts[0].Form! : new InputForm(null, 0, null, ',', false);
        foreach (var part in parts.Where(part => part.Form!.Kind is not null && first.Kind is not null && part.Form.Kind != first.Kind))
        {
            _errorCount++;
            _errors.Add(new(1, null, $"holds {Shown(part.Form!.Kind!.Value)} and {parts[0].Shown} {Shown(first.Kind!.Value)}; the files of a run are of one kind (--as)") { File = part.Shown });
        }

        return new InputSummary
        {
            Kind = first.Kind,
            Rows = _rows,
            BlankLines = parts.Sum(part => part.Form!.BlankLines),
            Bytes = parts.Sum(part => part.Stamp!.Bytes),
            ContentHash = HashOf(parts),
            Models = _models,
            Urls = _urls,
            Errors = _errors,
            ErrorCount = _errorCount,
            CsvHeader = first.CsvHeader is null ? null : parts.All(part => part.Form!.CsvHeader?.SequenceEqual(first.CsvHeader) == true)
                ? first.CsvHeader : [.. parts.SelectMany(part => part.Form!.CsvHeader ?? []).Where(name => name.Length > 0).Distinct(StringComparer.Ordinal)],
            HasOneHeader = parts.All(part => part.Form!.CsvHeader?.SequenceEqual(first.CsvHeader ?? []) == true),
            CsvDelimiter = first.CsvDelimiter,
            HasByteOrderMark = first.HasMark,
            RowsWithoutModel = _rowsWithoutModel,
        };
    }

    // That of one file is its own, as it was before there could be several.
    private static string HashOf(IReadOnlyList<InputPart> parts) => parts.Count == 1
        ? parts[0].Stamp!.Hash
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts.Select(part => part.Stamp!.Hash)))));

    private static string Shown(InputKind kind) => kind switch
    {
        InputKind.BatchLines => "batch lines",
        InputKind.Requests => "request bodies",
        InputKind.Rows => "rows of JSON",
        InputKind.CsvRows => "a table",
        _ => "plain text",
    };

    /// <summary>The first value of the field <c>id</c> that repeats; null while none does.</summary>
    public RepeatedId? RepeatedId { get; private set; }

    private InputError? Add(InputRow row, InputKind? kind, string file)
    {
        if (_rows >= maxRows)
        {
            if (_isFull) return null;
            _isFull = true;
            return new(row.Line, null, $"the file has more than {maxRows} requests") { Code = InputError.TooMany };
        }

        // Rows of these kinds never have names of their own, and lines have different numbers.
        var unique = kind is InputKind.Text or InputKind.Requests;
        if (!unique && _ids.Add(row.CustomId, PlaceOf(row, file)) is > 0 and var first)
        {
            // The check begins anew, without the field.
            if (row.IdField == "id" && usesId) RepeatedId ??= new(InputError.Shown(row.CustomId), Shown(first), Shown(PlaceOf(row, file)));
            else return Repeated(row, Shown(first));
        }

        if (_models.Count >= RowModel.MaxPerFile && !_models.ContainsKey(row.Model))
            return new(row.Line, "model", $"the file names more than {RowModel.MaxPerFile} models");
        CollectionsMarshal.GetValueRefOrAddDefault(_models, row.Model, out _)++;
        if (!row.HasOwnModel) _rowsWithoutModel++;
        if (row.Url is not null) CollectionsMarshal.GetValueRefOrAddDefault(_urls, row.Url, out _)++;
        _rows++;
        return null;
    }

    private static InputError Repeated(InputRow row, string first)
    {
        var name = InputError.Shown(row.CustomId);
        var what = row.IdField is null
            ? $"{first} is named \"{name}\", which is the name of this line, as it has none of its own"
            : $"\"{name}\" is the name of {first} already";
        return new(row.Line, row.IdField ?? "custom_id", what) { Code = InputError.DuplicateId };
    }

    // RowIds keeps a number: the line, or where there are several files the place in a list of where each begins.
    private int PlaceOf(InputRow row, string file)
    {
        if (_files.Count == 0 || _files[^1].Path != file) _files.Add((file, _lines));
        var place = _files[^1].Before + row.Line;
        _lines = Math.Max(_lines, place);
        return place;
    }

    private string Shown(int place)
    {
        var (path, before) = _files.Last(file => file.Before < place);
        return _files.Count == 1 ? $"line {place - before}" : $"{path}:{place - before}";
    }
}
