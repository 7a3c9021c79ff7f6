using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmPipeline;

/// <summary>
/// Bodies that are JSON for a tolerant reader only, made into JSON for any. Providers send <c>NaN</c> and <c>Infinity</c> (Python's json
/// writes them by default), bytes that are not UTF-8, lone surrogates where a token ends in the middle of a character, control characters
/// in strings, a byte order mark, and more text after the end. Pure functions of bytes, in time linear in their length.
/// </summary>
internal static class LenientJson
{
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = int.MaxValue };
    private static readonly JsonReaderOptions Tolerant = new()
    {
        MaxDepth = int.MaxValue,
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
    };

    /// <summary>Whether a text is one JSON value (RFC 8259) in valid UTF-8 and without a byte order mark.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxDepth">The deepest nesting that counts as JSON.</param>
    public static bool IsStrict(ReadOnlySpan<byte> text, int maxDepth = int.MaxValue) =>
        Utf8.IsValid(text) && IsJson(text, new JsonReaderOptions { MaxDepth = maxDepth });

    /// <summary>Whether a text is strict JSON whose strings every reader can decode: no lone surrogate is in them.</summary>
    public static bool IsDecodable(ReadOnlySpan<byte> text) => IsStrict(text) && JsonEscapes.FindLoneSurrogate(text) < 0;

    /// <summary>
    /// A body as strict JSON for a file: what is not UTF-8 is U+FFFD, a number that is none (<c>NaN</c>, <c>Infinity</c>, <c>-inf</c> …) is
    /// null, a byte order mark is removed. Nothing else changes, so that no text of the body is lost; the escape of a lone surrogate is
    /// JSON. Null when the result is not JSON.
    /// </summary>
    public static ReadOnlyMemory<byte>? Repair(ReadOnlySpan<byte> body, int maxDepth = int.MaxValue)
    {
        var repaired = JsonRepair.Apply(body, JsonRepairs.Bytes);
        return IsStrict(repaired.Span, maxDepth) ? repaired : default(ReadOnlyMemory<byte>?);
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
    /// An answer as JSON that every reader can decode; null when it is none for a tolerant reader either, such as one that was cut off.
    /// </summary>
    /// <param name="answer">As received.</param>
    /// <param name="isLenient">Whether it was not <see cref="IsDecodable"/>: the result is then another text.</param>
    public static ReadOnlyMemory<byte>? ToDecodable(ReadOnlyMemory<byte> answer, out bool isLenient)
    {
        isLenient = !IsDecodable(answer.Span);
        return isLenient ? Tolerated(answer.Span, JsonRepairs.Bytes | JsonRepairs.Surrogates | JsonRepairs.Syntax) : answer;
    }

    /// <summary>
    /// The JSON of a piece of a stream; null when it is none for a tolerant reader either. Bytes and escapes whose other half the next
    /// piece may bring are kept.
    /// </summary>
    public static ReadOnlyMemory<byte>? ToPiece(ReadOnlyMemory<byte> text) =>
        IsJson(text.Span, Strict) ? text : Tolerated(text.Span, JsonRepairs.Syntax);

    /// <summary>
    /// JSON whose strings any reader can decode: the escape of a lone surrogate is that of U+FFFD. For readers that need the text; files
    /// and answers keep the half, whose other half the next piece may bring.
    /// </summary>
    /// <param name="json">JSON.</param>
    public static byte[] WithoutHalves(ReadOnlySpan<byte> json)
    {
        var written = json.ToArray();
        for (var at = 0; JsonEscapes.FindLoneSurrogate(written, at) is >= 0 and var found; at = found + JsonEscapes.Length)
            "\\ufffd"u8.CopyTo(written.AsSpan(found));
        return written;
    }

    private static ReadOnlyMemory<byte>? Tolerated(ReadOnlySpan<byte> text, JsonRepairs repairs)
    {
        var written = JsonRepair.Apply(text, repairs);
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

    // Trailing commas and comments are between tokens, so the tokens are written again.
    private static byte[] WithoutExtras(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, Tolerant);
        using var document = JsonDocument.ParseValue(ref reader);
        var written = new ArrayBufferWriter<byte>(text.Length);
        using (var writer = new Utf8JsonWriter(written, new JsonWriterOptions { SkipValidation = true, MaxDepth = int.MaxValue }))
            document.RootElement.WriteTo(writer);
        return written.WrittenSpan.ToArray();
    }

    private static ReadOnlySpan<byte> Decoded(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("\uFEFF"u8))
            text = text[3..];
        return Utf8.IsValid(text) ? text : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text));
    }
}
