using System.Security.Cryptography;

namespace LlmPipeline;

/// <summary>
/// Cuts a file into lines and hashes its bytes on the way. One buffer, which grows to the longest line that is allowed and no further: a longer
/// one is passed over without being held. A byte order mark of UTF-8 is dropped.
/// </summary>
internal sealed class InputLines : IDisposable
{
    private const int BlockBytes = 256 * 1024;

    // Room for what doesn't count as the line: a byte order mark, CR and LF.
    private const int Slack = 8;

    private readonly FileStream _file;
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

    public InputLines(FileStream file, int maxBytes)
    {
        _file = file;
        _maxBytes = maxBytes;
    }

    /// <summary>How many bytes were read so far; all of the file once <see cref="FillAsync"/> has answered false.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether all of the file has been read into the buffer.</summary>
    public bool IsAtEnd => _ended;

    /// <summary>The next line in the buffer; false when the buffer must be filled first, or the file is at its end.</summary>
    public bool TryRead(out InputLine line)
    {
        var unread = _buffer.AsSpan(_start, _end - _start);
        var at = unread[_searched..].IndexOf((byte)'\n');
        if (at < 0 && !(_ended && (unread.Length > 0 || _overlong)))
        {
            _searched = unread.Length;
            line = default;
            return false;
        }

        ReadOnlySpan<byte> raw = at < 0 ? unread : unread[..(_searched + at + 1)];
        if (_number == 0 && raw is [0xEF, 0xBB, 0xBF, ..])
        {
            raw = raw[3..];
            _start += 3;
        }

        _lineStart = _start;
        _start += raw.Length;
        _searched = 0;
        var tooLong = _overlong || (raw.Length > _maxBytes && InputLine.WithoutEnd(raw).Length > _maxBytes);
        _overlong = false;
        line = new InputLine { Number = ++_number, Raw = tooLong ? [] : raw, TooLong = tooLong };
        return true;
    }

    /// <summary>Puts back the line that was just read; only while the buffer hasn't been filled again.</summary>
    public void Unread()
    {
        _start = _lineStart;
        _searched = 0;
        _number--;
    }

    /// <summary>Passes over what is in the buffer.</summary>
    public void Drop() => _start = _end = _searched = 0;

    /// <summary>Reads more of the file; false when there was no more and the last line has been given.</summary>
    /// <exception cref="InputException">The file can't be read on.</exception>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_ended) return false;
        MakeRoom();
        int read;
        try
        {
            read = await _file.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        }
        catch (IOException e)
        {
            throw new InputException($"{_file.Name}: {e.Message}", e);
        }

        _hash.AppendData(_buffer, _end, read);
        _end += read;
        Bytes += read;
        _ended = read == 0;
        return true;
    }

    /// <summary>The SHA-256 of the bytes read, lower-case hex; once.</summary>
    public string TakeHash() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
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
