using System.Buffers;
using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// A CSV file after RFC 4180, written under another name and renamed when it is whole. (Sylvan.Data.Csv writes only what comes as a DbDataReader,
/// which is more code than these rules.)
/// </summary>
internal sealed class CsvTable : IAsyncDisposable
{
    private readonly SearchValues<char> _special;
    private readonly CsvForm _form;
    private readonly OutputDisk _disk = new();
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _file;
    private readonly StringBuilder _text = new();
    private bool _isEmpty = true;
    private readonly byte[] _bytes = new byte[1 << 16];

    private CsvTable(string path, string temporary, FileStream file, CsvForm form)
    {
        _form = form;
        _special = SearchValues.Create([form.Delimiter, '"', '\r', '\n']);
        _path = path;
        _temporary = temporary;
        _file = file;
    }

    /// <exception cref="OutputException">The file cannot be written.</exception>
    public static CsvTable Create(string path, CsvForm form)
    {
        string temporary = OutputPaths.SortingOf(path);
        try
        {
            return new CsvTable(path, temporary, new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 18), form);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(path, e);
        }
    }

    /// <summary>Writes a line of the table.</summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public async ValueTask WriteAsync(IReadOnlyList<string> cells, CancellationToken cancellationToken)
    {
        _text.Clear();
        if (_isEmpty && _form.HasByteOrderMark)
            _text.Append('\uFEFF');
        _isEmpty = false;
        for (int i = 0; i < cells.Count; i++)
        {
            if (i > 0)
                _text.Append(_form.Delimiter);
            AppendCell(cells[i]);
        }

        _text.Append("\r\n");
        await WriteTextAsync(cancellationToken);
    }

    /// <summary>Puts the table in its place.</summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _file.FlushAsync(cancellationToken);
            _disk.Sync(_file.SafeFileHandle);
            await _file.DisposeAsync();
            _disk.Replace(_temporary, _path);
            _disk.SyncFolder(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(_path, e);
        }
    }

    /// <summary>Removes what is left of a table that was not finished.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _file.DisposeAsync();
        }
        catch (IOException)
        {
            // The rest of the buffer could not be written: FinishAsync or WriteAsync has said so, and the file goes now.
        }

        _disk.Delete(_temporary);
    }

    private async ValueTask WriteTextAsync(CancellationToken cancellationToken)
    {
        Encoder encoder = Encoding.UTF8.GetEncoder();
        try
        {
            foreach (ReadOnlyMemory<char> chunk in _text.GetChunks())
            {
                for (ReadOnlyMemory<char> rest = chunk; rest.Length > 0;)
                {
                    encoder.Convert(rest.Span, _bytes, flush: false, out int chars, out int bytes, out _);
                    await _file.WriteAsync(_bytes.AsMemory(0, bytes), cancellationToken);
                    rest = rest[chars..];
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(_path, e);
        }
    }

    private void AppendCell(string cell)
    {
        if (_form.IsExcelSafe && IsFormula(cell))
            cell = "'" + cell;
        bool isQuoted = cell.AsSpan().IndexOfAny(_special) >= 0 || (cell.Length > 0 && (char.IsWhiteSpace(cell[0]) || char.IsWhiteSpace(cell[^1])));
        if (!isQuoted)
        {
            _text.Append(cell);
            return;
        }

        _text.Append('"').Append(cell.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
    }

    // What Excel, LibreOffice and Google Sheets take for one; a number is none. See OWASP's page on CSV injection.
    private static bool IsFormula(string cell) =>
        cell.Length > 0 && cell[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\uFF1D' or '\uFF0B' or '\uFF0D' or '\uFF20'
        && !double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out _);
}
