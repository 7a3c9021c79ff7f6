using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>The top-level <c>stream</c> and <c>stream_options</c> of a request body.</summary>
internal static class StreamFields
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 512 };

    /// <summary>Whether the body asks for a stream, and where things stand in it.</summary>
    public static bool IsStreamed(ReadOnlyMemory<byte> body) => Find(body.Span, out _, out _);

    /// <summary>
    /// The body with <c>stream_options.include_usage</c> true, all other bytes as they were: without the usage of an answer neither quota nor cost is known.
    /// The very same body where it asks for no stream, or for the usage already.
    /// </summary>
    public static ReadOnlyMemory<byte> WithUsage(ReadOnlyMemory<byte> body)
    {
        if (!Find(body.Span, out var options, out var end))
            return body;
        var asked = options is { } range ? JsonNode.Parse(body.Span[range]) as JsonObject ?? [] : [];
        if (asked["include_usage"] is JsonValue set && set.TryGetValue(out bool on) && on)
            return body;
        asked["include_usage"] = true;
        var value = JsonSerializer.SerializeToUtf8Bytes(asked);
        return options is { } old
            ? (byte[])[.. body.Span[..old.Start], .. value, .. body.Span[old.End..]]
            : (byte[])[.. body.Span[..end], .. ",\"stream_options\":"u8, .. value, .. body.Span[end..]];
    }

    /// <param name="body">The body.</param>
    /// <param name="options">The value of <c>stream_options</c>; null when there is none.</param>
    /// <param name="end">Where the closing brace is.</param>
    private static bool Find(ReadOnlySpan<byte> body, out Range? options, out int end)
    {
        (options, end) = (null, 0);
        var streamed = false;
        var start = body.StartsWith("\uFEFF"u8) ? 3 : 0;
        var reader = new Utf8JsonReader(body[start..], Options);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isStream = reader.IsText("stream"u8);
                var isOptions = reader.IsText("stream_options"u8);
                reader.Read();
                var from = start + (int)reader.TokenStartIndex;
                if (isStream)
                    streamed = reader.TokenType == JsonTokenType.True;
                reader.Skip();
                if (isOptions)
                    options = from..(start + (int)reader.BytesConsumed);
            }

            end = start + (int)reader.TokenStartIndex;
            return streamed && reader.TokenType == JsonTokenType.EndObject;
        }
        catch (JsonException)
        {
            // It goes as it is, and the provider will say what is wrong with it.
            return false;
        }
    }
}
