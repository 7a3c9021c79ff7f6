using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Sylvan.Data.Csv;

namespace LlmPipeline;

/// <summary>A row, or what is wrong where one should be.</summary>
internal readonly record struct RowResult(InputRow? Row, InputError? Error);

/// <summary>Reads the rows of a file of any kind, once and in order.</summary>
/// <param name="lines">The file.</param>
/// <param name="options">How to read it.</param>
/// <param name="whole">Whether rows are wanted with their bodies and variables; else these are only checked.</param>
internal sealed class RowSource(InputLines lines, InputOptions options, bool whole)
{
    private RowParser? _parser;
    private bool _stopped;
    private int _rows;

    /// <summary>What the file holds; null until a line has told.</summary>
    public InputKind? Kind { get; private set; }

    public int BlankLines { get; private set; }

    public IReadOnlyList<string>? CsvHeader { get; private set; }

    public char CsvDelimiter { get; private set; } = ',';

    public async IAsyncEnumerable<RowResult> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (!_stopped && Kind != InputKind.CsvRows)
        {
            if (TryNext(out var result)) yield return result;
            else if (Kind != InputKind.CsvRows && !await lines.FillAsync(cancellationToken)) yield break;
        }

        if (Kind != InputKind.CsvRows) yield break;
        var csv = new RowCsv(lines, options, whole);
        await foreach (var result in csv.ReadAsync(cancellationToken)) yield return result;
        BlankLines += csv.BlankLines;
        CsvHeader = csv.Header;
        CsvDelimiter = csv.Delimiter;
    }

    // False when the buffer must be filled first, or when the file has turned out to be CSV.
    private bool TryNext(out RowResult result)
    {
        while (lines.TryRead(out var line))
        {
            var fault = line.Fault(options.MaxRowBytes);
            InputRow? row = null;
            if (fault is null && InputLine.IsBlank(line.Bytes))
            {
                BlankLines++;
                continue;
            }

            try
            {
                fault ??= Kind is null ? First(line) : null;
                if (Kind == InputKind.CsvRows) break;
                fault ??= _parser?.Parse(line.Bytes, new RowPlace(_rows + 1, line.Number, options.RowPrefix), whole, out row);
            }
            catch (JsonException e)
            {
                fault = JsonText.Fault(e);
            }

            // What the rest is can't be told without the first line, so it can't be checked either.
            _stopped = Kind is null;
            if (row is not null) _rows++;
            result = new(row, fault?.At(line.Number));
            return true;
        }

        result = default;
        return false;
    }

    private RowFault? First(InputLine line)
    {
        if (RowKind.Tell(line.Bytes, options, out var kind) is { } fault) return fault;
        if (kind == InputKind.Text && options is { As: null, IsTable: true }) return TableFault(line);
        if (kind != InputKind.CsvRows && kind != InputKind.Rows && options.IdColumn is not null)
            return new(null, "--id is for rows of data; other lines are named by their custom_id or their place");
        if (kind is InputKind.Text or InputKind.CsvRows or InputKind.Rows && options.Drop.Count > 0)
            return new(null, "--drop is for request bodies; a row's other fields are not sent");
        Kind = kind;
        if (kind == InputKind.CsvRows) lines.Unread();
        else _parser = RowParser.For(kind, options);
        return null;
    }

    // Its lines would be sent as prompts, the header and the parts of cells with line breaks too.
    private RowFault TableFault(InputLine line)
    {
        var text = Encoding.UTF8.GetString(line.Bytes);
        var delimiter = RowCsvDelimiter.Named(text);
        if (delimiter is not null) text = lines.TryRead(out var header) ? Encoding.UTF8.GetString(header.Bytes) : "";
        delimiter ??= RowCsvDelimiter.Of(text + "\n" + Encoding.UTF8.GetString(lines.Ahead(64 * 1024)));
        using var csv = CsvDataReader.Create(new StringReader(text), new CsvDataReaderOptions { HasHeaders = false, Delimiter = delimiter.Value });
        var columns = csv.Read() ? Enumerable.Range(0, csv.RowFieldCount).Select(at => csv.GetString(at).Trim()).ToList() : [];
        return new(null, $"a table needs --prompt NAME or --template TEXT, whose variables are its columns: {RowNames.List(columns)}"
            + " (--as text sends each line as a prompt)");
    }
}
