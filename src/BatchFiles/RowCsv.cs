using System.Runtime.CompilerServices;
using System.Text;
using Sylvan.Data.Csv;

namespace LlmPipeline;

/// <summary>
/// Rows of a prompt function in a CSV file (RFC 4180) with a header. The delimiter is told by the first lines (<see cref="RowCsvDelimiter"/>).
/// A malformed record ends the reading: where the next one starts can't be told.
/// </summary>
internal sealed class RowCsv(InputLines lines, InputOptions options, bool whole)
{
    private readonly RowCsvText _text = new(lines, options.MaxRowBytes);
    private readonly RowCsvColumns _columns = new(options);
    private CsvDataReader? _csv;
    private int _line;
    private int _next;
    private int _rows;

    public int BlankLines { get; private set; }

    public IReadOnlyList<string>? Header { get; private set; }

    public char Delimiter { get; private set; } = ',';

    public async IAsyncEnumerable<RowResult> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var (more, error) = await MoveAsync(cancellationToken);
            var isHeader = more && Header is null;
            if (isHeader) error = ReadHeader();
            if (error is not null) yield return new(null, error);
            if (error is not null || !more) yield break;
            if (isHeader) continue;

            if (IsBlank()) BlankLines++;
            else yield return Row();
        }
    }

    private async ValueTask<(bool More, InputError? Error)> MoveAsync(CancellationToken cancellationToken)
    {
        try
        {
            _csv ??= await OpenAsync(cancellationToken);
            _line = _next;
            var more = await _csv.ReadAsync(cancellationToken);
            if (!more) return (false, _text.Error);
            _next = _line + lines.LinesIn(_csv.GetRawRecordSpan());
            return (true, null);
        }
        catch (CsvRecordTooLargeException)
        {
            return (false, _text.Error ?? RowFault.TooLong(options.MaxRowBytes).At(_line));
        }
        catch (CsvFormatException e)
        {
            return (false, _text.Error ?? new RowFault(null, $"malformed CSV in the record that starts here, field {e.FieldOrdinal + 1}: {e.Message.TrimEnd('.')}").At(_line));
        }
    }

    private async Task<CsvDataReader> OpenAsync(CancellationToken cancellationToken)
    {
        Delimiter = await _text.DelimiterAsync(cancellationToken);
        _next = _line = _text.FirstLine;
        return await CsvDataReader.CreateAsync(_text, new CsvDataReaderOptions
        {
            // The header is read as a record, which tells how many lines it takes.
            HasHeaders = false,
            Delimiter = Delimiter,
            // No comments: a prompt may start with any character. This one, the second half of a surrogate pair, starts no text.
            Comment = '\uDC00',
            MaxBufferSize = Math.Max(options.MaxRowBytes, 64 * 1024) + 16,
            BufferSize = 64 * 1024,
        }, cancellationToken);
    }

    private InputError? ReadHeader()
    {
        var names = new string[_csv!.RowFieldCount];
        for (var i = 0; i < names.Length; i++) names[i] = _csv.GetString(i).Trim();
        Header = names;
        return _columns.Set(names)?.At(_line);
    }

    // A blank line is no row, also where there is one column; an empty value there is written "".
    private bool IsBlank() => _csv!.RowFieldCount == 1 && _csv.GetRawRecordSpan().IsWhiteSpace();

    private RowResult Row()
    {
        var csv = _csv!;
        if (csv.RowFieldCount != _columns.Count)
            return new(null, new RowFault(null, $"{csv.RowFieldCount} fields, but the header has {_columns.Count}").At(_line));
        var raw = csv.GetRawRecordSpan();
        if ((long)raw.Length * 3 > options.MaxRowBytes && Encoding.UTF8.GetByteCount(raw) > options.MaxRowBytes)
            return new(null, RowFault.TooLong(options.MaxRowBytes).At(_line));
        var fault = _columns.Row(csv, new RowPlace(_rows + 1, _line, options.RowPrefix), whole, out var row);
        if (row is not null) _rows++;
        return new(row, fault?.At(_line));
    }
}
