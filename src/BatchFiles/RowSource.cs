using System.Runtime.CompilerServices;
using System.Text.Json;

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
                fault ??= _parser?.Parse(line.Bytes, new RowPlace(_rows + 1, line.Number), whole, out row);
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
        Kind = kind;
        if (kind == InputKind.CsvRows) lines.Unread();
        else _parser = RowParser.For(kind, options);
        return null;
    }
}
