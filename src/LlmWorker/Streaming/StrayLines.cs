using System.Buffers;

namespace LlmPipeline;

/// <summary>
/// Finds in the bytes of a stream of events what a server writes when it breaks off and the parser of events passes over: a field
/// <c>error</c>, as of llama.cpp, and JSON that is in no field. The last of them is kept.
/// </summary>
/// <remarks>
/// <see href="https://html.spec.whatwg.org/multipage/server-sent-events.html">Fields of other names than an event's are ignored</see>.
/// </remarks>
internal sealed class StrayLines
{
    // Of an error no more is worth keeping.
    private const int Most = 64 * 1024;

    private readonly ArrayBufferWriter<byte> _kept = new();
    private State _state;
    private int _matched;
    private bool _isOpen;
    private bool _isCarriageReturn;

    private enum State
    {
        /// <summary>Too little of the line is there to know what it is.</summary>
        Begins,

        /// <summary>The line is kept.</summary>
        Keeps,

        /// <summary>The line is neither.</summary>
        Skips,
    }

    /// <summary>Whether what was found is a field <c>error</c>.</summary>
    public bool IsErrorField { get; private set; }

    /// <summary>The value of the field, or the text that begins like JSON; null for nothing.</summary>
    public byte[]? Found => _kept.WrittenSpan.Trim(" \t\r\n"u8) is { IsEmpty: false } text ? text.ToArray() : null;

    private static ReadOnlySpan<byte> FieldName => "error:"u8;

    /// <summary>Takes the next bytes of the stream.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_state == State.Begins)
            {
                Begin(bytes[0]);
                bytes = bytes[1..];
                continue;
            }

            var end = bytes.IndexOfAny((byte)'\r', (byte)'\n');
            var line = end < 0 ? bytes : bytes[..end];
            if (_state == State.Keeps)
                Keep(line);
            if (end >= 0)
                EndLine(bytes[end]);
            bytes = bytes[(end < 0 ? line.Length : end + 1)..];
        }
    }

    private void Begin(byte first)
    {
        if (first is (byte)'\r' or (byte)'\n')
        {
            // The second byte of the end of a line ends no other.
            if (!(first == (byte)'\n' && _isCarriageReturn && _matched == 0))
                _isOpen = false;
            EndLine(first);
        }
        else if (_isOpen)
        {
            _state = State.Keeps;
            Keep([first]);
        }
        else if (_matched == 0 && first == (byte)'{')
        {
            Open(isErrorField: false);
            Keep([first]);
        }
        else if (first == FieldName[_matched])
        {
            if (++_matched == FieldName.Length)
                Open(isErrorField: true);
        }
        else
        {
            _state = State.Skips;
        }
    }

    private void Open(bool isErrorField)
    {
        _kept.Clear();
        (IsErrorField, _isOpen, _state) = (isErrorField, true, State.Keeps);
    }

    // JSON may go on in further lines, up to a blank one.
    private void EndLine(byte end)
    {
        if (_state == State.Keeps)
        {
            Keep("\n"u8);
            _isOpen = !IsErrorField;
        }

        (_state, _matched, _isCarriageReturn) = (State.Begins, 0, end == (byte)'\r');
    }

    private void Keep(ReadOnlySpan<byte> bytes) => _kept.Write(bytes[..Math.Min(bytes.Length, Most - _kept.WrittenCount)]);
}
