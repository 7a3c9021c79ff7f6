using System.Security.Cryptography;

namespace LlmPipeline;

/// <summary>
/// Cuts a file into lines and hashes its bytes on the way, as they are in UTF-8. One buffer, which grows to the longest line that is allowed and no further: a longer
/// one is passed over without being held. A byte order mark of UTF-8 is dropped.
/// </summary>
internal sealed class InputLines : IDisposable
{
    private const int BlockBytes = 256 * 1024;

    // Room for what doesn't count as the line: a byte order mark, CR and LF.
    private const int Slack = 8;

    private readonly InputContent _content;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly int _maxBytes;
    private byte[] _buffer = new byte[BlockBytes];
    private int _start;
    private int _end;
    private int _searched;
    private int _lineStart;
    private int _number;
    private bool _overlong;
    private bool _ended;
    private bool _isDecided;

    public InputLines(InputContent content, int maxBytes)
    {
        _content = content;
        _maxBytes = maxBytes;
    }

    /// <summary>
    /// Whether a CR alone ends a line too, as in files of Excel for the Mac: where no line in the first block ends with LF, but within
    /// quotes. Known with the first line.
    /// </summary>
    public bool IsCrFile { get; private set; }

    /// <summary>Whether all of the file has been read into the buffer.</summary>
    public bool IsAtEnd => _ended;

    /// <summary>The next line in the buffer; false when the buffer must be filled first, or the file is at its end.</summary>
    public bool TryRead(out InputLine line)
    {
        var unread = _buffer.AsSpan(_start, _end - _start);
        var length = EndOfLine(unread);
        if (length < 0 && !(_ended && (unread.Length > 0 || _overlong)))
        {
            line = default;
            return false;
        }

        ReadOnlySpan<byte> raw = length < 0 ? unread : unread[..length];
        if (_number == 0 && raw is [0xEF, 0xBB, 0xBF, ..])
        {
            raw = raw[3..];
            _start += 3;
        }

        _lineStart = _start;
        _start += raw.Length;
        _searched = 0;
        var tooLong = _overlong || (raw.Length > _maxBytes && InputLine.WithoutEnd(raw, IsCrFile).Length > _maxBytes);
        _overlong = false;
        line = new InputLine { Number = ++_number, Raw = tooLong ? [] : raw, TooLong = tooLong, Encoding = _content.EncodingName, IsCrFile = IsCrFile };
        return true;
    }

    /// <summary>Puts back the line that was just read; only while the buffer hasn't been filled again.</summary>
    public void Unread()
    {
        _start = _lineStart;
        _searched = 0;
        _number--;
    }

    /// <summary>What comes next in the buffer, without being taken.</summary>
    public ReadOnlySpan<byte> Ahead(int most) => _buffer.AsSpan(_start, Math.Min(most, _end - _start));

    /// <summary>Passes over what is in the buffer.</summary>
    public void Drop() => _start = _end = _searched = 0;

    /// <summary>Reads more of the file; false when there was no more and the last line has been given.</summary>
    /// <exception cref="InputException">The file can't be read on.</exception>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_ended) return false;
        do
        {
            MakeRoom();
            var read = await _content.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            _hash.AppendData(_buffer, _end, read);
            _end += read;
            _ended = read == 0;
        }
        while (!_ended && !_isDecided && _end < BlockBytes);

        if (!_isDecided)
        {
            IsCrFile = EndsLinesWithCr(_buffer.AsSpan(0, _end));
            _isDecided = true;
        }

        return true;
    }

    /// <summary>How many lines end in a text of the file.</summary>
    public int LinesIn(ReadOnlySpan<char> text) =>
        IsCrFile ? text.Count('\r') + text.Count('\n') - text.Count("\r\n") : text.Count('\n');

    /// <summary>The SHA-256 of the text read, in UTF-8, lower-case hex; once.</summary>
    public string TakeHash() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose()
    {
        _hash.Dispose();
        _content.Dispose();
    }

    // With its end; -1 when the buffer doesn't hold it.
    private int EndOfLine(ReadOnlySpan<byte> unread)
    {
        var rest = unread[_searched..];
        var at = IsCrFile ? rest.IndexOfAny((byte)'\n', (byte)'\r') : rest.IndexOf((byte)'\n');
        if (at < 0)
        {
            _searched = unread.Length;
            return -1;
        }

        if (rest[at] == '\n') return _searched + at + 1;
        _searched += at;
        if (at + 1 == rest.Length) return _ended ? unread.Length : -1;
        return _searched + (rest[at + 1] == '\n' ? 2 : 1);
    }

    private static bool EndsLinesWithCr(ReadOnlySpan<byte> text)
    {
        var (hasCr, isQuoted) = (false, false);
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] == '"') isQuoted = !isQuoted;
            else if (isQuoted) continue;
            else if (text[at] == '\n') return false;
            else if (text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n') return false;
            else hasCr |= text[at] == '\r';
        }

        return hasCr;
    }

    private void MakeRoom()
    {
        if (_overlong || _end - _start > (long)_maxBytes + Slack)
        {
            // No line end in all this: the rest of the line is read, but only to find where it ends.
            _overlong = true;
            _start = _end = _searched = 0;
            return;
        }

        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
    }
}
