using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmPipeline;

/// <summary>
/// Bodies that are JSON for a tolerant reader only, made into JSON for any: providers send <c>NaN</c> (Python writes it by default), bytes
/// that are no UTF-8 and a byte order mark. Pure functions of bytes, in time linear in their length.
/// </summary>
internal static class LenientJson
{
    /// <summary>Whether a text is one JSON value (RFC 8259) in valid UTF-8 and without a byte order mark.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxDepth">The deepest nesting that counts as JSON.</param>
    public static bool IsStrict(ReadOnlySpan<byte> text, int maxDepth = int.MaxValue)
    {
        if (text.IsEmpty || !Utf8.IsValid(text))
            return false;
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = maxDepth });
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

    /// <summary>
    /// The same text as strict JSON: what is no UTF-8 is U+FFFD, a number that is none (<c>NaN</c>, <c>Infinity</c>, <c>-inf</c> …) is
    /// null, a byte order mark goes. Nothing else changes, the escape of half a surrogate pair, which is JSON, included. Null when that
    /// does not make it JSON.
    /// </summary>
    public static byte[]? Repair(ReadOnlySpan<byte> text, int maxDepth = int.MaxValue)
    {
        var repaired = WithoutNumbersThatAreNone(Decoded(text));
        return IsStrict(repaired, maxDepth) ? repaired : null;
    }

    /// <summary>JSON in valid UTF-8 of any bytes: themselves where they are, else repaired, else the text as a JSON string.</summary>
    public static ReadOnlyMemory<byte> AsJson(ReadOnlyMemory<byte> body, int maxDepth = int.MaxValue)
    {
        if (IsStrict(body.Span, maxDepth))
            return body;
        if (Repair(body.Span, maxDepth) is { } repaired)
            return repaired;
        var text = new ArrayBufferWriter<byte>(body.Length + 2);
        OutputLine.WriteString(text, Decoded(body.Span));
        return text.WrittenMemory;
    }

    /// <summary>
    /// JSON whose strings any reader can decode: the escape of a half of a surrogate pair is that of U+FFFD. For readers that need the
    /// text; files and answers keep the half, whose other half the next piece may bring.
    /// </summary>
    /// <param name="json">JSON.</param>
    public static byte[] WithoutHalves(ReadOnlySpan<byte> json)
    {
        var written = json.ToArray();
        for (var at = 0; written.AsSpan(at).IndexOf((byte)'\\') is >= 0 and var found;)
        {
            at += found;
            var (unit, next) = (UnitAt(written, at), UnitAt(written, at + 6));
            if (unit is { } c && char.IsSurrogate(c))
            {
                var isPair = char.IsHighSurrogate(c) && next is { } low && char.IsLowSurrogate(low);
                if (!isPair)
                    "\\ufffd"u8.CopyTo(written.AsSpan(at));
                at += isPair ? 12 : 6;
            }
            else
            {
                // The escaped character may be a backslash itself.
                at = Math.Min(at + 2, written.Length);
            }
        }

        return written;
    }

    /// <summary>The code unit of a <c>\uXXXX</c> at a place; null when there is none.</summary>
    private static char? UnitAt(ReadOnlySpan<byte> json, int at) =>
        at + 6 <= json.Length && json[at] == '\\' && json[at + 1] == 'u'
            && ushort.TryParse(json.Slice(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit)
            ? (char)unit
            : null;

    private static ReadOnlySpan<byte> Decoded(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("\uFEFF"u8))
            text = text[3..];
        return Utf8.IsValid(text) ? text : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text));
    }

    private static byte[] WithoutNumbersThatAreNone(ReadOnlySpan<byte> text)
    {
        var written = new ArrayBufferWriter<byte>(text.Length + 16);
        var copied = 0;
        for (var at = 0; at < text.Length;)
        {
            var length = text[at] == '"' ? StringLength(text[at..]) : WordLength(text[at..]);
            if (text[at] != '"' && IsNoNumber(text.Slice(at, length)))
            {
                written.Write(text[copied..at]);
                written.Write("null"u8);
                copied = at + length;
            }

            at += Math.Max(1, length);
        }

        written.Write(text[copied..]);
        return written.WrittenSpan.ToArray();
    }

    private static int StringLength(ReadOnlySpan<byte> text)
    {
        for (var at = 1; ;)
        {
            var end = text[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (end < 0)
                return text.Length;
            at += end;
            if (text[at] == '"')
                return at + 1;
            at = Math.Min(at + 2, text.Length);
        }
    }

    private static int WordLength(ReadOnlySpan<byte> text)
    {
        var length = 0;
        while (length < text.Length && IsOfWord(text[length]))
            length++;
        return length;
    }

    private static bool IsOfWord(byte b) => char.IsAsciiLetterOrDigit((char)b) || b is (byte)'+' or (byte)'-' or (byte)'.' or (byte)'_';

    // As Python, JavaScript and printf spell them.
    private static bool IsNoNumber(ReadOnlySpan<byte> word)
    {
        var name = word.StartsWith("-"u8) || word.StartsWith("+"u8) ? word[1..] : word;
        return Ascii.EqualsIgnoreCase(name, "nan"u8) || Ascii.EqualsIgnoreCase(name, "infinity"u8) || Ascii.EqualsIgnoreCase(name, "inf"u8);
    }
}
