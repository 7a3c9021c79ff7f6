using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Strings and errors of <see cref="Utf8JsonReader"/>, told without exceptions or in words for people.</summary>
internal static class JsonText
{
    public const string HalfSurrogate = @"holds half of a surrogate pair (a \ud800 to \udfff that stands alone)";

    // What System.Text.Json and its documents take by default, here and wherever the body is read later.
    public static readonly JsonReaderOptions Strict = new() { MaxDepth = 64 };

    /// <summary>The text of the string or property name that the reader is on; false when its escapes are no Unicode text.</summary>
    public static bool TryGet(ref Utf8JsonReader reader, out string text)
    {
        try
        {
            text = reader.GetString()!;
            return true;
        }
        catch (InvalidOperationException)
        {
            // The only sign the reader gives of a lone surrogate: "\ud800" is well-formed JSON, but not a text.
            text = "";
            return false;
        }
    }

    /// <summary>
    /// Whether the string or property name that the reader is on is this text, however it is escaped. (The reader's own comparison throws at
    /// half a surrogate pair.)
    /// </summary>
    public static bool Is(ref Utf8JsonReader reader, ReadOnlySpan<byte> text) =>
        reader.ValueIsEscaped
            ? TryGet(ref reader, out var value) && text.SequenceEqual(Encoding.UTF8.GetBytes(value))
            : text.SequenceEqual(reader.ValueSpan);

    /// <summary>What a reader found wrong with a line, without the line number of its own that it adds.</summary>
    public static RowFault Fault(JsonException e)
    {
        var place = e.Message.LastIndexOf(" LineNumber:", StringComparison.Ordinal);
        var what = Has(e, "maximum configured depth") ? $"nested deeper than {Strict.MaxDepth} levels"
            : Has(e, "There is an open JSON object or array") || Has(e, "reached end of data") ? "not valid JSON: the object does not end on this line"
            : "not valid JSON: " + (place < 0 ? e.Message : e.Message[..place]).TrimEnd('.');
        return new(null, string.Create(CultureInfo.InvariantCulture, $"{what} (at byte {e.BytePositionInLine + 1} of the line)"), InputError.InvalidJson);
    }

    private static bool Has(JsonException e, string part) => e.Message.Contains(part, StringComparison.Ordinal);
}
