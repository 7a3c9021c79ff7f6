using System.Net.ServerSentEvents;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads a streamed answer to its end, and makes of it the one body that a call without <c>stream</c> would have had.</summary>
/// <remarks>
/// Chat completions and completions come as chunks (<see href="https://platform.openai.com/docs/api-reference/chat-streaming"/>);
/// responses as typed events,
/// the last of which carries the whole (<see href="https://platform.openai.com/docs/api-reference/responses-streaming"/>). Between them
/// are comments, pings and
/// empty events (<see href="https://openrouter.ai/docs/api-reference/streaming"/>). An error comes as an event too, for the status has
/// long been 200.
/// </remarks>
internal sealed class StreamedAnswer
{
    /// <summary>The media type of a stream of server-sent events.</summary>
    public const string MediaType = "text/event-stream";

    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };
    private readonly DeltaReceiver? _delta;
    private readonly ChunkMerger _chunks;
    private readonly StrayLines _stray = new();
    private byte[] _lastText = [];
    private byte[]? _message;
    private byte[]? _whole;
    private string? _toPassOn;

    private StreamedAnswer(int mostBytes, DeltaReceiver? delta)
    {
        _delta = delta;
        _chunks = new ChunkMerger(mostBytes);
    }

    /// <param name="stream">The body of the response.</param>
    /// <param name="mostBytes">The largest answer, and the largest event.</param>
    /// <param name="delta">Receives the data of each event that is a part of the answer; the next event is read when it returns. Null for nobody.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    /// <returns>The body; of a stream that failed the data of the event that said so; of one that broke off what there is of the
    /// answer.</returns>
    /// <exception cref="AnswerTooLargeException">It is.</exception>
    public static async Task<(byte[] Body, AnswerFault Fault)> ReadAsync(
        Stream stream, int mostBytes, DeltaReceiver? delta, CancellationToken cancellationToken)
    {
        var answer = new StreamedAnswer(mostBytes, delta);
        var bounded = new BoundedStream(stream, mostBytes) { Stray = answer._stray };
        try
        {
            var events = SseParser.Create(bounded, static (_, data) => data.ToArray());
            await foreach (var item in events.EnumerateAsync(cancellationToken).ConfigureAwait(false))
            {
                bounded.EventEnds();
                var end = answer.Take(item.EventType, item.Data);
                await answer.PassOnAsync(cancellationToken).ConfigureAwait(false);
                if (end is not null)
                    return end.Value;
            }
        }
        catch (IOException) when (answer._chunks.IsWhole || answer.StrayError() is not null)
        {
            // The connection broke behind the answer, of which the usage may be missing, or behind the reason.
        }

        return answer.End();
    }

    /// <summary>Takes an event.</summary>
    /// <returns>How the stream ends, if it ends with this event.</returns>
    private (byte[] Body, AnswerFault Fault)? Take(string name, byte[] data)
    {
        var text = data.AsSpan().Trim(" \t"u8);
        if (text.SequenceEqual("[DONE]"u8))
            return End();
        if (text.IsEmpty)
            return null;
        if (text[0] != '{')
        {
            // A ping is a text in some servers' streams; an error too.
            if (IsErrorName(name))
                return (data, AnswerFault.ErrorEvent);
            _lastText = name == "ping" ? _lastText : data;
            return null;
        }

        // A part of the answer would be missing: a whole without it must not be taken for the answer.
        if (LenientJson.ToPiece(data) is not { } piece)
            return (_chunks.Count > 0 ? _chunks.Body() : data, AnswerFault.Truncated);
        using var json = JsonDocument.Parse(piece, AnyDepth);
        return Take(name, json.RootElement, data);
    }

    private (byte[] Body, AnswerFault Fault)? Take(string name, JsonElement json, byte[] data)
    {
        var hasChoices = json.TryGetField("choices"u8, out var choices);
        var type = hasChoices ? default : Raw(json, "type"u8);
        if (IsErrorName(name) || IsError(json, choices, type, data))
            return (data, AnswerFault.ErrorEvent);
        if (name == "ping" || type.SequenceEqual("\"ping\""u8))
            return null;
        // A word on how far it is, or why it ends: the end of the stream decides.
        if (!hasChoices && IsMessageAlone(data))
        {
            _message = data;
            return null;
        }

        if (!type.StartsWith("\""u8))
        {
            _chunks.Add(json);
            // Clients expect a choice in each chunk without usage.
            if (choices.ValueKind != JsonValueKind.Array && !Raw(json, "usage"u8).StartsWith("{"u8))
                return null;
        }
        else if (IsLast(type) && json.TryGetField("response"u8, out var response))
        {
            _whole = JsonMarshal.GetRawUtf8Value(response).ToArray();
        }

        if (_delta is not null)
            _toPassOn = Encoding.UTF8.GetString(data);
        return _whole is null ? null : (_whole, AnswerFault.None);
    }

    private static bool IsError(JsonElement json, JsonElement choices, ReadOnlySpan<byte> type, byte[] data)
    {
        if (type.SequenceEqual("\"error\""u8) || Raw(json, "object"u8).SequenceEqual("\"error\""u8) || HasError(json))
            return true;
        // An error without a name where a chunk would be: {"code":…,"message":…}, {"detail":…}.
        var isEmpty = choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0;
        return isEmpty && !type.StartsWith("\"response."u8) && LenientJson.ToDecodable(data, out _) is { } strict
            && (InnerError.Find(strict) is not null
                || Raw(json, "detail"u8) is [(byte)'"' or (byte)'[' or (byte)'{', _, _, ..]);
    }

    private ValueTask PassOnAsync(CancellationToken cancellationToken)
    {
        if (_toPassOn is not { } data)
            return ValueTask.CompletedTask;
        _toPassOn = null;
        return _delta!(data, cancellationToken);
    }

    private (byte[] Body, AnswerFault Fault) End() =>
        _chunks.IsWhole ? (_chunks.Body(), AnswerFault.None)
        : (StrayError() ?? _message) is { } error ? (error, AnswerFault.ErrorEvent)
        : _chunks.Count > 0 ? (_chunks.Body(), AnswerFault.Truncated)
        : (_lastText, AnswerFault.Truncated);

    // What a server writes between the events when it breaks off. JSON that is no error may be anything.
    private byte[]? StrayError()
    {
        if (_stray.Found is not { } found)
            return null;
        if (_stray.IsErrorField)
            return found;
        if (LenientJson.ToDecodable(found, out _) is not { } strict)
            return null;
        using var json = JsonDocument.Parse(strict, AnyDepth);
        var hasChoices = json.RootElement.TryGetField("choices"u8, out var choices);
        return IsError(json.RootElement, choices, hasChoices ? default : Raw(json.RootElement, "type"u8), found) || IsMessageAlone(found)
            ? found
            : null;
    }

    private static bool IsMessageAlone(byte[] data) =>
        LenientJson.ToDecodable(data, out _) is { } json && AnswerShape.Read(json.Span).IsMessageAlone;

    // Names that an event of an error has: error, server_error, exception.
    private static bool IsErrorName(string name) =>
        name.EndsWith("error", StringComparison.OrdinalIgnoreCase) || name.EndsWith("exception", StringComparison.OrdinalIgnoreCase);

    private static bool IsLast(ReadOnlySpan<byte> type) =>
        type.SequenceEqual("\"response.completed\""u8) || type.SequenceEqual("\"response.incomplete\""u8)
        || type.SequenceEqual("\"response.failed\""u8) || type.SequenceEqual("\"response.cancelled\""u8);

    private static bool HasError(JsonElement json)
    {
        if (!json.TryGetField("error"u8, out var error))
            return false;
        var reader = new Utf8JsonReader(JsonMarshal.GetRawUtf8Value(error), new JsonReaderOptions { MaxDepth = int.MaxValue });
        reader.Read();
        return AnswerShape.RangeOf(ref reader) is not null;
    }

    private static ReadOnlySpan<byte> Raw(JsonElement json, ReadOnlySpan<byte> name) =>
        json.TryGetField(name, out var value) ? JsonMarshal.GetRawUtf8Value(value) : default;
}
