using System.Net.ServerSentEvents;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads a streamed answer to its end, and makes of it the one body that a call without <c>stream</c> would have had.</summary>
/// <remarks>
/// Chat completions and completions come as chunks (<see href="https://platform.openai.com/docs/api-reference/chat-streaming"/>); responses as typed events,
/// the last of which carries the whole (<see href="https://platform.openai.com/docs/api-reference/responses-streaming"/>).
/// </remarks>
internal static class StreamedAnswer
{
    /// <summary>The media type of a stream of server-sent events.</summary>
    public const string MediaType = "text/event-stream";

    private const string Done = "[DONE]";
    private static readonly JsonDocumentOptions Depth = new() { MaxDepth = 512 };

    /// <param name="stream">The body of the response.</param>
    /// <param name="delta">Gets the data of each event, as received, when it comes; null for nobody.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    /// <returns>The body, UTF-8.</returns>
    /// <exception cref="BrokenStreamException">It ended before its end, holds what is no JSON, or tells an error.</exception>
    public static async Task<byte[]> ReadAsync(Stream stream, Action<string>? delta, CancellationToken cancellationToken)
    {
        var chunks = new ChunkMerger();
        byte[]? whole = null;
        var done = false;
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken).ConfigureAwait(false))
        {
            if (item.Data == Done)
            {
                done = true;
                continue;
            }

            using var json = Parse(item.Data);
            if (Failure(json.RootElement) is { } failure)
                throw new BrokenStreamException(failure);
            if (json.RootElement.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String && json.RootElement.TryGetProperty("response"u8, out var response))
            {
                if (type.GetString() is "response.completed" or "response.incomplete" or "response.failed")
                    whole = JsonMarshal.GetRawUtf8Value(response).ToArray();
            }
            else if (type.ValueKind == JsonValueKind.Undefined)
            {
                chunks.Add(json.RootElement);
            }

            delta?.Invoke(item.Data);
        }

        if (whole is not null)
            return whole;
        return chunks.IsWhole || (done && chunks.Count > 0) ? chunks.Body() : throw new BrokenStreamException("the stream ended before the answer did");
    }

    private static JsonDocument Parse(string data)
    {
        try
        {
            var json = JsonDocument.Parse(data, Depth);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                return json;
            json.Dispose();
        }
        catch (JsonException)
        {
            // Said below: the text itself may be anything, and belongs in no message.
        }

        throw new BrokenStreamException("an event of the stream is no JSON object");
    }

    // In the middle of a stream the status has long been 200.
    private static string? Failure(JsonElement json)
    {
        if (!json.TryGetProperty("error"u8, out var error) || error.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined)
            return null;
        var message = error.ValueKind == JsonValueKind.Object && error.TryGetProperty("message"u8, out var text) ? text : error;
        return "the stream ended with an error: " + (message.ValueKind == JsonValueKind.String ? message.GetString() : "no message");
    }
}
