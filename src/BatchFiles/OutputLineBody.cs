using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>The provider's body in an output line.</summary>
public static class OutputLineBody
{
    /// <summary>
    /// The bytes of <c>response.body</c>; a body that is not JSON is there as a string, and is its text. Empty when there is none.
    /// </summary>
    /// <param name="line">A line as <see cref="OutputLine"/> writes it.</param>
    public static ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> line)
    {
        var reader = new Utf8JsonReader(line.Span, OutputBody.AnyDepth);
        if (!reader.Read() || !Enter(ref reader, "response"u8) || !Enter(ref reader, "body"u8))
            return default;
        var start = (int)reader.TokenStartIndex;
        if (reader.TokenType == JsonTokenType.String)
            return Encoding.UTF8.GetBytes(JsonText.TryGet(ref reader, out var text) ? text : "");
        reader.Skip();
        return line[start..(int)reader.BytesConsumed];
    }

    /// <summary>Job and body of a line that is a completion; null for any other line.</summary>
    /// <param name="line">A line, whoever wrote it.</param>
    public static (string JobId, ReadOnlyMemory<byte> Body)? Completion(ReadOnlyMemory<byte> line) =>
        OutputLineHead.TryRead(line.Span, out var head) && head.IsCompletion
            ? (string.Create(CultureInfo.InvariantCulture, $"{Encoding.UTF8.GetString(head.Batch)}.{head.Row}"), Of(line))
            : null;

    /// <summary>Goes on to the value of a field of the object that the reader is on.</summary>
    private static bool Enter(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isIt = reader.ValueSpan.SequenceEqual(name);
            reader.Read();
            if (isIt)
                return true;
            reader.Skip();
        }

        return false;
    }
}
