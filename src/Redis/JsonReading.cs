using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reading JSON that others wrote.</summary>
internal static class JsonReading
{
    /// <summary>
    /// Whether the name or string that the reader is on is this one, however it is escaped. The reader's own comparison throws at half a
    /// surrogate pair, which is JSON all the same.
    /// </summary>
    /// <param name="reader">The reader, of one piece of memory.</param>
    /// <param name="ascii">Printable ASCII.</param>
    public static bool IsText(this ref Utf8JsonReader reader, ReadOnlySpan<byte> ascii) => IsText(reader.ValueSpan, ascii);

    /// <summary>
    /// The value of a field of an object, of several of one name the last. <see cref="JsonElement"/>'s own search throws likewise.
    /// </summary>
    /// <param name="json">The element.</param>
    /// <param name="ascii">Printable ASCII.</param>
    /// <param name="value">The value.</param>
    /// <returns>False also where the element is no object.</returns>
    public static bool TryGetField(this JsonElement json, ReadOnlySpan<byte> ascii, out JsonElement value)
    {
        value = default;
        if (json.ValueKind != JsonValueKind.Object)
            return false;
        var isFound = false;
        foreach (var field in json.EnumerateObject())
        {
            if (IsText(JsonMarshal.GetRawUtf8PropertyName(field), ascii))
                (value, isFound) = (field.Value, true);
        }

        return isFound;
    }

    private static bool IsText(ReadOnlySpan<byte> text, ReadOnlySpan<byte> ascii)
    {
        if (text.IndexOf((byte)'\\') < 0)
            return text.SequenceEqual(ascii);
        foreach (var expected in ascii)
        {
            if (text.IsEmpty)
                return false;
            var (unit, length) = text[0] != '\\' ? (text[0], 1)
                : text[1] == 'u' ? (int.Parse(text.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), 6)
                : text[1] is (byte)'"' or (byte)'\\' or (byte)'/' ? (text[1], 2)
                : (-1, 2);
            if (unit != expected)
                return false;
            text = text[length..];
        }

        return text.IsEmpty;
    }
}
