using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>The lines of a file one after the other, each with its place. Holds one line at a time.</summary>
/// <param name="handle">The file, open for reading.</param>
/// <param name="maxLine">Longer lines are passed over: they are reported with <see cref="IsTooLong"/> and without their text. Bytes.</param>
internal sealed class OutputLineReader(SafeFileHandle handle, int maxLine = 256 << 20)
{
    private byte[] _buffer = new byte[1 << 18];
    private int _start, _end;
    private long _next;
    private bool _isAtEnd;

    /// <summary>Where the line begins in the file.</summary>
    public long Offset { get; private set; }

    /// <summary>Where the next line begins, or the file ends.</summary>
    public long Next => _next;

    /// <summary>The line without its line break; good until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlyMemory<byte> Line { get; private set; }

    /// <summary>False for the last line of a file that doesn't end with a line break.</summary>
    public bool HasLineBreak { get; private set; }

    /// <summary>The line was longer than the maximum and has not been kept.</summary>
    public bool IsTooLong { get; private set; }

    public bool MoveNext()
    {
        Offset = _next;
        IsTooLong = false;
        long passed = 0;
        int searched = 0;
        while (true)
        {
            int found = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (found >= 0)
            {
                int length = searched + found;
                Take(length, passed + length, hasLineBreak: true);
                _start += length + 1;
                return true;
            }

            searched = _end - _start;
            if (_isAtEnd)
            {
                if (passed + searched == 0)
                    return false;
                Take(searched, passed + searched, hasLineBreak: false);
                _start = _end;
                return true;
            }

            if (searched > maxLine || IsTooLong)
            {
                IsTooLong = true;
                passed += searched;
                _start = _end;
                searched = 0;
            }

            Fill();
        }
    }

    private void Take(int length, long whole, bool hasLineBreak)
    {
        ReadOnlyMemory<byte> line = IsTooLong ? default : _buffer.AsMemory(_start, length);
        if (line.Length > 0 && line.Span[^1] == '\r')
            line = line[..^1];
        if (Offset == 0 && line.Span.StartsWith("\uFEFF"u8))
        {
            line = line[3..];
            Offset = 3;
        }

        Line = line;
        HasLineBreak = hasLineBreak;
        _next += whole + (hasLineBreak ? 1 : 0);
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length * 2);
        int read = RandomAccess.Read(handle, _buffer.AsSpan(_end), _position);
        _position += read;
        _end += read;
        _isAtEnd = read == 0;
    }

    private long _position;
}
