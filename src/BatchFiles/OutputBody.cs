using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A provider's body on one line.</summary>
internal static class OutputBody
{
    /// <summary>Deeper bodies than anybody sends are still copied, not judged.</summary>
    internal static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private static readonly SearchValues<byte> Breaks = SearchValues.Create([(byte)'\r', (byte)'\n', 0xC2, 0xE2]);

    /// <summary>
    /// Writes any body as JSON in valid UTF-8 (<see cref="LenientJson"/>; what no tolerant reader takes for JSON is a JSON string), without
    /// a character that any reader takes for the end of a line: beside CR and LF, Python's <c>str.splitlines</c> splits at U+0085, U+2028
    /// and U+2029 (<see href="https://docs.python.org/3/library/stdtypes.html#str.splitlines"/>). The others of its list are no part of
    /// JSON unless they are escaped.
    /// </summary>
    public static void Write(IBufferWriter<byte> writer, ReadOnlySpan<byte> body)
    {
        if (LenientJson.IsStrict(body))
            WriteOnOneLine(writer, body);
        else if (LenientJson.Repair(body) is { } repaired)
            WriteOnOneLine(writer, repaired.Span);
        else
            OutputLine.WriteString(writer, Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(body)));
    }

    /// <summary>
    /// Writes JSON. A raw CR or LF cannot stand inside a string of it, so each one is between tokens and goes; the others can only stand
    /// inside one.
    /// </summary>
    internal static void WriteOnOneLine(IBufferWriter<byte> writer, ReadOnlySpan<byte> json)
    {
        var (copied, searched) = (0, 0);
        while (json[searched..].IndexOfAny(Breaks) is >= 0 and var found)
        {
            var at = searched + found;
            var (length, escape) = Break(json[at..]);
            searched = at + Math.Max(1, length);
            if (length == 0)
                continue;
            writer.Write(json[copied..at]);
            if (escape is not null)
                writer.Write(Encoding.ASCII.GetBytes(escape));
            copied = searched;
        }

        writer.Write(json[copied..]);
    }

    /// <summary>The line break that a text begins with: its bytes, 0 for none, and its escape in a string.</summary>
    private static (int Length, string? Escape) Break(ReadOnlySpan<byte> json) => json switch
    {
        [(byte)'\r' or (byte)'\n', ..] => (1, null),
        [0xC2, 0x85, ..] => (2, "\\u0085"),
        [0xE2, 0x80, 0xA8, ..] => (3, "\\u2028"),
        [0xE2, 0x80, 0xA9, ..] => (3, "\\u2029"),
        _ => (0, null),
    };
}
