using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// What a body says of the answer in it: which of the fields of OpenAI's API it has, and what is in them. Read in one pass, without a
/// copy.
/// </summary>
/// <remarks>
/// <see href="https://platform.openai.com/docs/api-reference/chat/object"/>, <see
/// href="https://platform.openai.com/docs/api-reference/completions/object"/>,
/// <see href="https://platform.openai.com/docs/api-reference/embeddings/object"/>, <see
/// href="https://platform.openai.com/docs/api-reference/responses/object"/>.
/// </remarks>
internal sealed class AnswerShape
{
    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private AnswerShape()
    {
    }

    /// <summary>Whether the body is an object. Of an array, as Google's errors come, the first item is read.</summary>
    public bool IsObject { get; private set; }

    /// <summary>Where the value of the top-level <c>error</c> is; null when there is none that says anything.</summary>
    public Range? Error { get; private set; }

    /// <summary><c>object</c>.</summary>
    public string? Object { get; private set; }

    /// <summary><c>type</c>.</summary>
    public string? Type { get; private set; }

    /// <summary><c>status</c> of a response.</summary>
    public string? Status { get; private set; }

    /// <summary><c>incomplete_details.reason</c> of a response.</summary>
    public string? IncompleteReason { get; private set; }

    /// <summary>The choices; null when <c>choices</c> is no array.</summary>
    public ChoiceShape? Choices { get; private set; }

    /// <summary>The vectors; null when <c>data</c> is no array.</summary>
    public VectorShape? Data { get; private set; }

    /// <summary>The items of a response; null when <c>output</c> is no array.</summary>
    public OutputShape? Output { get; private set; }

    /// <summary>Whether there is a field <c>choices</c>, of whatever kind.</summary>
    public bool HasChoices { get; private set; }

    /// <summary>Whether there is a field <c>output</c>, of whatever kind.</summary>
    public bool HasOutput { get; private set; }

    /// <summary>Whether there is a field that only errors have: <c>detail</c>, <c>errors</c>, or a <c>message</c> beside a code.</summary>
    public bool LooksLikeAnError { get; private set; }

    /// <summary>Whether it has a message without a code, and beside it nothing that can be an answer.</summary>
    public bool IsMessageAlone { get; private set; }

    /// <summary>Reads a body.</summary>
    /// <param name="json">JSON that every reader can decode (<see cref="LenientJson"/>).</param>
    public static AnswerShape Read(ReadOnlySpan<byte> json)
    {
        var shape = new AnswerShape();
        var reader = new Utf8JsonReader(json, AnyDepth);
        reader.Read();
        shape.IsObject = reader.TokenType == JsonTokenType.StartObject;
        if (reader.TokenType == JsonTokenType.StartArray)
            reader.Read();
        var hasFields = reader.TokenType == JsonTokenType.StartObject;
        bool hasMessage = false, hasCode = false, hasMore = false;
        while (hasFields && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isMessage = reader.IsText("message"u8) || reader.IsText("msg"u8);
            hasMessage |= isMessage;
            hasCode |= reader.IsText("code"u8) || reader.IsText("statusCode"u8) || reader.IsText("status_code"u8);
            hasMore |= !isMessage && !IsOfEnvelope(ref reader);
            shape.ReadField(ref reader);
            hasMore |= reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray;
        }

        shape.LooksLikeAnError |= hasMessage && hasCode;
        shape.IsMessageAlone = hasMessage && !hasCode && !hasMore;
        return shape;
    }

    /// <summary>Skips the value at the reader, and returns its place.</summary>
    /// <returns>Null for a value that says nothing: null, false, 0, or an empty text or object.</returns>
    internal static Range? RangeOf(ref Utf8JsonReader reader)
    {
        var start = (int)reader.TokenStartIndex;
        var kind = reader.TokenType;
        var isEmpty = kind is JsonTokenType.Null or JsonTokenType.False
            || (kind == JsonTokenType.String && reader.ValueSpan.IsEmpty)
            || (kind == JsonTokenType.Number && reader.TryGetInt64(out var number) && number == 0);
        var saysSomething = kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray);
        if (saysSomething)
            return isEmpty ? null : start..(int)reader.BytesConsumed;
        for (var depth = reader.CurrentDepth; reader.Read() && reader.CurrentDepth > depth;)
        {
            saysSomething |= reader.TokenType == JsonTokenType.True
                || (reader.TokenType == JsonTokenType.String && !reader.ValueSpan.IsEmpty)
                || (reader.TokenType == JsonTokenType.Number && !(reader.TryGetInt64(out var value) && value == 0));
        }

        return saysSomething ? start..(int)reader.BytesConsumed : null;
    }

    internal static string? Text(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString();
        reader.Skip();
        return null;
    }

    // What stands beside an answer and beside an error alike.
    private static bool IsOfEnvelope(ref Utf8JsonReader reader) =>
        reader.IsText("code"u8) || reader.IsText("status"u8) || reader.IsText("statusCode"u8) || reader.IsText("status_code"u8)
        || reader.IsText("success"u8) || reader.IsText("ok"u8) || reader.IsText("type"u8) || reader.IsText("title"u8)
        || reader.IsText("param"u8) || reader.IsText("path"u8) || reader.IsText("timestamp"u8) || reader.IsText("id"u8)
        || reader.IsText("request_id"u8) || reader.IsText("requestId"u8) || reader.IsText("trace_id"u8) || reader.IsText("traceId"u8);

    private void ReadField(ref Utf8JsonReader reader)
    {
        if (Is(ref reader, "error"u8))
        {
            Error = RangeOf(ref reader) ?? Error;
        }
        else if (Is(ref reader, "errors"u8) || Is(ref reader, "detail"u8))
        {
            LooksLikeAnError |= RangeOf(ref reader) is not null;
        }
        else if (Is(ref reader, "object"u8))
        {
            Object = Text(ref reader);
        }
        else if (Is(ref reader, "type"u8))
        {
            Type = Text(ref reader);
        }
        else if (Is(ref reader, "status"u8))
        {
            Status = Text(ref reader);
        }
        else if (Is(ref reader, "incomplete_details"u8))
        {
            ReadIncomplete(ref reader);
        }
        else if (Is(ref reader, "choices"u8))
        {
            HasChoices = true;
            Choices = ChoiceShape.Read(ref reader);
        }
        else if (Is(ref reader, "data"u8))
        {
            Data = VectorShape.Read(ref reader);
        }
        else if (Is(ref reader, "output"u8))
        {
            HasOutput = true;
            Output = OutputShape.Read(ref reader);
        }
        else if (reader.TokenType == JsonTokenType.PropertyName)
        {
            reader.Read();
            reader.Skip();
        }
    }

    /// <summary>Whether the field that the reader is on has this name; it is on the value then.</summary>
    internal static bool Is(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) =>
        reader.TokenType == JsonTokenType.PropertyName && reader.IsText(name) && reader.Read();

    private void ReadIncomplete(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (Is(ref reader, "reason"u8))
                IncompleteReason = Text(ref reader);
            else
                SkipField(ref reader);
        }
    }

    /// <summary>Skips a field, from its name on.</summary>
    internal static void SkipField(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }
}
