using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>
/// Reads pieces of a file that lie mostly, but not always, one behind the other: a window moves along with them, and a piece far off
/// (a row that was retried an hour later) is read alone and doesn't move it.
/// </summary>
internal sealed class OutputWindow(SafeFileHandle handle)
{
    private const int Size = 1 << 18;
    private readonly byte[] _window = new byte[Size];
    private byte[] _alone = [];
    private long _start;
    private int _filled;
    private long _last;

    /// <summary>The bytes, fewer when the file ends before; good until the next call.</summary>
    public ReadOnlySpan<byte> Read(long offset, int length)
    {
        bool isNear = Math.Abs(offset - _last) < Size / 2 && length < Size / 2;
        _last = offset + length;
        if (Holds(offset, length))
            return _window.AsSpan((int)(offset - _start), length);
        if (isNear)
        {
            // Rows end a little out of order: keep some of what lies before.
            _start = Math.Max(0, offset - (Size / 4));
            _filled = Fill(_window, _start);
            if (Holds(offset, length))
                return _window.AsSpan((int)(offset - _start), length);
        }

        if (_alone.Length < length)
            _alone = new byte[Math.Max(length, 4096)];
        return _alone.AsSpan(0, Fill(_alone.AsSpan(0, length), offset));
    }

    private bool Holds(long offset, int length) => offset >= _start && offset + length <= _start + _filled;

    private int Fill(Span<byte> buffer, long offset)
    {
        int filled = 0;
        while (filled < buffer.Length)
        {
            int read = RandomAccess.Read(handle, buffer[filled..], offset + filled);
            if (read == 0)
                break;
            filled += read;
        }

        return filled;
    }
}
