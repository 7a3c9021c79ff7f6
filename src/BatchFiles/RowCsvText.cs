using System.Text;

namespace LlmPipeline;

/// <summary>The lines of a CSV file as the text that a CSV parser pulls. It ends at the first line that isn't readable.</summary>
internal sealed class RowCsvText(InputLines lines, int maxBytes) : TextReader
{
    private const int SampleBytes = 64 * 1024;
    private char[] _chars = new char[4096];
    private int _start;
    private int _end;

    /// <summary>The line of the header: the first one read.</summary>
    public int FirstLine { get; private set; }

    /// <summary>What is wrong with the line where the text ended; null when it ended with the file.</summary>
    public InputError? Error { get; private set; }

    /// <summary>Tells the delimiter by the first lines, without taking them. A line <c>sep=;</c> is taken: it only names the delimiter.</summary>
    public async ValueTask<char> DelimiterAsync(CancellationToken cancellationToken)
    {
        if (!await MoreAsync(cancellationToken)) return ',';
        if (RowCsvDelimiter.Named(_chars.AsSpan(_start, _end - _start)) is { } named)
        {
            FirstLine = 0;
            _start = _end;
            await MoreAsync(cancellationToken);
            return named;
        }

        return RowCsvDelimiter.Of([.. _chars.AsSpan(_start, _end - _start), .. Encoding.UTF8.GetString(lines.Ahead(SampleBytes))]);
    }

    public override async ValueTask<int> ReadAsync(Memory<char> buffer, CancellationToken cancellationToken = default)
    {
        if (!await MoreAsync(cancellationToken)) return 0;
        var read = 0;
        do
        {
            var length = Math.Min(buffer.Length - read, _end - _start);
            _chars.AsMemory(_start, length).CopyTo(buffer[read..]);
            _start += length;
            read += length;
        }
        while (_start == _end && read < buffer.Length && TryDecode());
        return read;
    }

    public override Task<int> ReadAsync(char[] buffer, int index, int count) => ReadAsync(buffer.AsMemory(index, count)).AsTask();

    public override async ValueTask<int> ReadBlockAsync(Memory<char> buffer, CancellationToken cancellationToken = default)
    {
        var read = 0;
        while (read < buffer.Length && await ReadAsync(buffer[read..], cancellationToken) is var more and > 0) read += more;
        return read;
    }

    public override Task<int> ReadBlockAsync(char[] buffer, int index, int count) => ReadBlockAsync(buffer.AsMemory(index, count)).AsTask();

    public override int Read(char[] buffer, int index, int count) => throw new NotSupportedException("only read asynchronously");

    private async ValueTask<bool> MoreAsync(CancellationToken cancellationToken)
    {
        while (_start == _end && !TryDecode())
        {
            if (Error is not null || !await lines.FillAsync(cancellationToken)) return false;
        }

        return true;
    }

    private bool TryDecode()
    {
        if (Error is not null || !lines.TryRead(out var line)) return false;
        if (FirstLine == 0) FirstLine = line.Number;
        if (line.Fault(maxBytes) is { } fault)
        {
            Error = fault.At(line.Number);
            return false;
        }

        if (_chars.Length < line.Raw.Length) _chars = new char[line.Raw.Length];
        _start = 0;
        _end = Encoding.UTF8.GetChars(line.Raw, _chars);
        return true;
    }
}
