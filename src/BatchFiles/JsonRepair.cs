using System.Buffers;
using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// Copies a text that a tolerant reader takes for JSON, and repairs it on the way. The result may still be no JSON
/// (<see cref="LenientJson"/> judges it). Linear in the length of the text.
/// </summary>
internal ref struct JsonRepair
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly ArrayBufferWriter<byte> _written;
    private readonly JsonRepairs _repairs;
    private int _at;

    private JsonRepair(ReadOnlySpan<byte> text, JsonRepairs repairs)
    {
        _text = text;
        _repairs = repairs;
        _written = new ArrayBufferWriter<byte>(text.Length + 16);
    }

    /// <summary>The text with these repairs.</summary>
    public static ReadOnlyMemory<byte> Apply(ReadOnlySpan<byte> text, JsonRepairs repairs)
    {
        var repair = new JsonRepair(text.StartsWith("\uFEFF"u8) ? text[3..] : text, repairs);
        repair.CopyValue();
        return repair._written.WrittenMemory;
    }

    private readonly bool RepairsSyntax => _repairs.HasFlag(JsonRepairs.Syntax);

    private void CopyValue()
    {
        for (var depth = 0; _at < _text.Length;)
        {
            switch (_text[_at])
            {
                case (byte)'"':
                    CopyString();
                    break;
                case (byte)'/' when depth > 0 && RepairsSyntax:
                    SkipComment();
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    Copy(1);
                    break;
                case (byte)'}' or (byte)']':
                    Copy(1);
                    if (--depth <= 0 && RepairsSyntax)
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

    private void SkipComment()
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
        if (IsNoNumber(word) || (RepairsSyntax && (word.SequenceEqual("None"u8) || word.SequenceEqual("undefined"u8))))
            _written.Write("null"u8);
        else if (RepairsSyntax && (word.SequenceEqual("True"u8) || word.SequenceEqual("False"u8)))
            _written.Write(word[0] == 'T' ? "true"u8 : "false"u8);
        else
            _written.Write(word);
        _at += length;
    }

    private static bool IsOfWord(byte sign) =>
        char.IsAsciiLetterOrDigit((char)sign) || sign is (byte)'+' or (byte)'-' or (byte)'.' or (byte)'_';

    // As Python, JavaScript and printf spell them.
    private static bool IsNoNumber(ReadOnlySpan<byte> word)
    {
        var name = word[0] is (byte)'-' or (byte)'+' ? word[1..] : word;
        return Ascii.EqualsIgnoreCase(name, "nan"u8) || Ascii.EqualsIgnoreCase(name, "infinity"u8) || Ascii.EqualsIgnoreCase(name, "inf"u8);
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
            else if (sign < 0x20 && RepairsSyntax)
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
        if (JsonEscapes.UnitAt(_text, _at) is { } unit)
        {
            if (!char.IsSurrogate(unit) || !_repairs.HasFlag(JsonRepairs.Surrogates))
            {
                Copy(JsonEscapes.Length);
            }
            else if (JsonEscapes.IsPair(_text, _at))
            {
                Copy(2 * JsonEscapes.Length);
            }
            else
            {
                _written.Write("\\ufffd"u8);
                _at += JsonEscapes.Length;
            }
        }
        else if (_at + 1 < _text.Length && "\"\\/bfnrt"u8.Contains(_text[_at + 1]))
        {
            Copy(2);
        }
        else if (RepairsSyntax)
        {
            // No escape at all: a backslash that was not escaped itself.
            _written.Write("\\\\"u8);
            _at++;
        }
        else
        {
            Copy(1);
        }
    }

    private void CopyRune()
    {
        var status = Rune.DecodeFromUtf8(_text[_at..], out _, out var length);
        if (status == OperationStatus.Done || !_repairs.HasFlag(JsonRepairs.Bytes))
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
        _written.Write(Encoding.ASCII.GetBytes(control.ToString("x2", CultureInfo.InvariantCulture)));
        _at++;
    }

    private void Copy(int length)
    {
        _written.Write(_text.Slice(_at, length));
        _at += length;
    }
}
