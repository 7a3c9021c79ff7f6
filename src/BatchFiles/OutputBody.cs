using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmPipeline;

/// <summary>A provider's body on one line.</summary>
internal static class OutputBody
{
    /// <summary>Deeper bodies than anybody sends are still copied, not judged.</summary>
    internal static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    public static void Write(IBufferWriter<byte> writer, ReadOnlySpan<byte> body)
    {
        // One byte that isn't UTF-8 would make the whole file unreadable for others: it becomes U+FFFD, as every JSON reader would read it.
        if (!Utf8.IsValid(body))
            body = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(body));
        ReadOnlySpan<byte> json = body.StartsWith(Encoding.UTF8.Preamble) ? body[Encoding.UTF8.Preamble.Length..] : body;
        if (IsJson(json))
            WriteOnOneLine(writer, json);
        else
            OutputLine.WriteString(writer, body);
    }

    /// <summary>A raw CR or LF cannot stand inside a JSON string, so each one is between tokens and can go.</summary>
    private static void WriteOnOneLine(IBufferWriter<byte> writer, ReadOnlySpan<byte> json)
    {
        int end;
        while ((end = json.IndexOfAny((byte)'\r', (byte)'\n')) >= 0)
        {
            writer.Write(json[..end]);
            json = json[(end + 1)..];
        }

        writer.Write(json);
    }

    private static bool IsJson(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
            return false;
        var reader = new Utf8JsonReader(text, AnyDepth);
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
}
