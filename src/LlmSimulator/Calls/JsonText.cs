using System.Text.Json;

namespace LlmPipeline;

/// <summary>The text of the string that a reader stands on, as UTF-8, in one buffer that is used again and again.</summary>
internal sealed class JsonText
{
    private byte[] _bytes = new byte[512];
    private int _length;

    /// <summary>The text.</summary>
    public ReadOnlySpan<byte> Utf8 => _bytes.AsSpan(0, _length);

    /// <summary>Forgets the text.</summary>
    public void Clear() => _length = 0;

    /// <summary>Adds the reader's string, unescaped. What is no text (invalid UTF-8, half a surrogate pair) is added as it is written.</summary>
    public ReadOnlySpan<byte> Append(ref Utf8JsonReader reader)
    {
        var raw = reader.ValueSpan;
        if (_bytes.Length - _length < raw.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + raw.Length));
        var room = _bytes.AsSpan(_length);
        int written;
        try
        {
            written = reader.CopyString(room);
        }
        catch (InvalidOperationException)
        {
            raw.CopyTo(room);
            written = raw.Length;
        }
        _length += written;
        return room[..written];
    }
}
