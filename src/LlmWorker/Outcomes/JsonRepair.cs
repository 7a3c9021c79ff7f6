using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmPipeline;

/// <summary>
/// Makes JSON of what only a tolerant reader takes for JSON. Providers send <c>NaN</c> and <c>Infinity</c> (Python's json writes them by
/// default), bytes that
/// are not UTF-8, halves of surrogate pairs where a token ends in the middle of a character, control characters in strings, a byte order
/// mark, and more text
/// behind the end. Pure, and linear in the length of the text.
/// </summary>
internal ref struct JsonRepair
{
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = int.MaxValue };
    private static readonly JsonReaderOptions Tolerant = new()
    {
        MaxDepth = int.MaxValue,
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip
    };

    private readonly ReadOnlySpan<byte> _text;
    private readonly ArrayBufferWriter<byte> _written;
    private readonly bool _keepsHalves;
    private int _at;

    private JsonRepair(ReadOnlySpan<byte> text, bool keepsHalves)
    {
        _text = text;
        _keepsHalves = keepsHalves;
        _written = new ArrayBufferWriter<byte>(text.Length + 16);
    }

    /// <summary>
    /// Whether a text is one JSON value whose strings every reader can decode: valid UTF-8, no byte order mark, no half of a surrogate
    /// pair.
    /// </summary>
    public static bool IsStrict(ReadOnlySpan<byte> text) => Utf8.IsValid(text) && !HasHalves(text) && IsJson(text, Strict);

    /// <summary>
    /// The text as JSON that every reader can decode; null when it is none for a tolerant reader either, such as one that was cut off.
    /// </summary>
    /// <param name="text">As received.</param>
    /// <param name="isLenient">Whether something had to be repaired: the result is then another text.</param>
    public static ReadOnlyMemory<byte>? ToStrict(ReadOnlyMemory<byte> text, out bool isLenient)
    {
        isLenient = !IsStrict(text.Span);
        return isLenient ? Repaired(text.Span, keepsHalves: false) : text;
    }

    /// <summary>
    /// As <see cref="ToStrict"/> for a piece of a stream: bytes and escapes whose other half the next piece may bring stay as they are.
    /// </summary>
    public static ReadOnlyMemory<byte>? ToPiece(ReadOnlyMemory<byte> text) =>
        IsJson(text.Span, Strict) ? text : Repaired(text.Span, keepsHalves: true);

    private static ReadOnlyMemory<byte>? Repaired(ReadOnlySpan<byte> text, bool keepsHalves)
    {
        var repair = new JsonRepair(text.StartsWith("\uFEFF"u8) ? text[3..] : text, keepsHalves);
        repair.CopyValue();
        var written = repair._written.WrittenMemory;
        if (IsJson(written.Span, Strict))
            return written;
        return IsJson(written.Span, Tolerant) ? WithoutExtras(written.Span) : default(ReadOnlyMemory<byte>?);
    }

    private static bool IsJson(ReadOnlySpan<byte> text, JsonReaderOptions options)
    {
        if (text.IsEmpty)
            return false;
        var reader = new Utf8JsonReader(text, options);
        try
        {
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // Trailing commas and comments, which are between tokens: the tokens are written again.
    private static byte[] WithoutExtras(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, Tolerant);
        using var document = JsonDocument.ParseValue(ref reader);
        var written = new ArrayBufferWriter<byte>(text.Length);
        using (var writer = new Utf8JsonWriter(written, new JsonWriterOptions { SkipValidation = true, MaxDepth = int.MaxValue }))
            document.RootElement.WriteTo(writer);
        return written.WrittenSpan.ToArray();
    }

    /// <summary>Whether an escape stands for half of a surrogate pair alone. Backslashes are in strings only, so no more is read.</summary>
    private static bool HasHalves(ReadOnlySpan<byte> text)
    {
        for (var at = 0; text[at..].IndexOf((byte)'\\') is >= 0 and var found;)
        {
            at += found;
            if (UnitAt(text, at) is { } unit && char.IsSurrogate(unit))
            {
                if (!IsPair(text, at))
                    return true;
                at += 12;
            }
            else
            {
                at = Math.Min(at + 2, text.Length);
            }
        }

        return false;
    }

    private static bool IsPair(ReadOnlySpan<byte> text, int at) =>
        UnitAt(text, at) is { } high && char.IsHighSurrogate(high) && UnitAt(text, at + 6) is { } low && char.IsLowSurrogate(low);

    /// <summary>The code unit of a <c>\uXXXX</c> at a place; null when there is none.</summary>
    private static char? UnitAt(ReadOnlySpan<byte> text, int at)
    {
        if (at + 6 > text.Length || text[at] != '\\' || text[at + 1] != 'u')
            return null;
        var unit = 0;
        foreach (var digit in text.Slice(at + 2, 4))
        {
            if (!char.IsAsciiHexDigit((char)digit))
                return null;
            unit = (unit << 4) | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }

        return (char)unit;
    }

    /// <summary>Copies the first value and leaves out what comes behind it.</summary>
    private void CopyValue()
    {
        for (var depth = 0; _at < _text.Length;)
        {
            switch (_text[_at])
            {
                case (byte)'"':
                    CopyString();
                    break;
                case (byte)'/' when depth > 0:
                    CopyComment();
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    Copy(1);
                    break;
                case (byte)'}' or (byte)']':
                    Copy(1);
                    if (--depth <= 0)
                        return;
                    break;
                case var sign when IsOfWord(sign):
                    CopyWord();
                    break;
                default:
                    Copy(1);
                    break;
            }
        }
    }

    private void CopyComment()
    {
        var rest = _text[_at..];
        var end = rest.StartsWith("//"u8) ? rest.IndexOf((byte)'\n') : rest.StartsWith("/*"u8) ? rest.IndexOf("*/"u8) + 2 : 1;
        _at += end <= 1 ? rest.Length : end;
    }

    private void CopyWord()
    {
        var length = 0;
        while (_at + length < _text.Length && IsOfWord(_text[_at + length]))
            length++;
        var word = _text.Slice(_at, length);
        if (IsNoValue(word))
            _written.Write("null"u8);
        else if (word.SequenceEqual("True"u8) || word.SequenceEqual("False"u8))
            _written.Write(word[0] == 'T' ? "true"u8 : "false"u8);
        else
            _written.Write(word);
        _at += length;
    }

    private static bool IsOfWord(byte sign) =>
        char.IsAsciiLetterOrDigit((char)sign) || sign is (byte)'+' or (byte)'-' or (byte)'.' or (byte)'_';

    // Numbers that are none, as Python, JavaScript and printf spell them, and Python's and JavaScript's null.
    private static bool IsNoValue(ReadOnlySpan<byte> word)
    {
        var name = word[0] is (byte)'-' or (byte)'+' ? word[1..] : word;
        return Ascii.EqualsIgnoreCase(name, "nan"u8) || Ascii.EqualsIgnoreCase(name, "infinity"u8) || Ascii.EqualsIgnoreCase(name, "inf"u8)
            || word.SequenceEqual("None"u8) || word.SequenceEqual("undefined"u8);
    }

    private void CopyString()
    {
        Copy(1);
        while (_at < _text.Length)
        {
            var sign = _text[_at];
            if (sign == '"')
            {
                Copy(1);
                return;
            }

            if (sign == '\\')
                CopyEscape();
            else if (sign < 0x20)
                WriteEscaped(sign);
            else if (sign < 0x80)
                Copy(OrdinaryLength());
            else
                CopyRune();
        }
    }

    private readonly int OrdinaryLength()
    {
        var length = 1;
        while (_at + length < _text.Length && _text[_at + length] is >= 0x20 and < 0x80 and not (byte)'"' and not (byte)'\\')
            length++;
        return length;
    }

    private void CopyEscape()
    {
        if (UnitAt(_text, _at) is { } unit)
        {
            if (!char.IsSurrogate(unit) || _keepsHalves)
            {
                Copy(6);
            }
            else if (IsPair(_text, _at))
            {
                Copy(12);
            }
            else
            {
                _written.Write("\\ufffd"u8);
                _at += 6;
            }
        }
        else if (_at + 1 < _text.Length && "\"\\/bfnrt"u8.Contains(_text[_at + 1]))
        {
            Copy(2);
        }
        else
        {
            // No escape at all: a backslash that was not escaped itself.
            _written.Write("\\\\"u8);
            _at++;
        }
    }

    private void CopyRune()
    {
        var status = Rune.DecodeFromUtf8(_text[_at..], out _, out var length);
        if (status == OperationStatus.Done || _keepsHalves)
        {
            Copy(length);
            return;
        }

        _written.Write("\uFFFD"u8);
        _at += length;
    }

    private void WriteEscaped(byte control)
    {
        _written.Write("\\u00"u8);
        _written.Write(Encoding.ASCII.GetBytes(control.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
        _at++;
    }

    private void Copy(int length)
    {
        _written.Write(_text.Slice(_at, length));
        _at += length;
    }
}
