using System.Text.Json;

namespace LlmPipeline;

/// <summary>The items of a response.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="IsSpoken">Whether one of them has text, a refusal or the call of a tool: not reasoning alone.</param>
/// <param name="IsRefused">Whether one of them is a refusal.</param>
internal sealed record OutputShape(int Count, bool IsSpoken, bool IsRefused)
{
    /// <summary>Reads the value of <c>output</c>; null when that is no array.</summary>
    public static OutputShape? Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return null;
        }

        var shape = new OutputShape(0, false, false);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var (speaks, refuses) = ReadItem(ref reader);
            shape = new OutputShape(shape.Count + 1, shape.IsSpoken || speaks, shape.IsRefused || refuses);
        }

        return shape;
    }

    private static (bool Speaks, bool Refuses) ReadItem(ref Utf8JsonReader reader)
    {
        string? type = null;
        (bool Speaks, bool Refuses) content = default;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (AnswerShape.Is(ref reader, "type"u8))
                    type = AnswerShape.Text(ref reader);
                else if (AnswerShape.Is(ref reader, "content"u8))
                    content = ReadContent(ref reader);
                else
                    AnswerShape.SkipField(ref reader);
            }
        }

        reader.Skip();
        // An item without a type is taken for a message; every other kind but reasoning is the call of a tool.
        return type is "reasoning" ? default : type is null or "message" ? content : (true, false);
    }

    private static (bool Speaks, bool Refuses) ReadContent(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            return (AnswerShape.RangeOf(ref reader) is not null, false);
        (bool Speaks, bool Refuses) content = default;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (AnswerShape.Is(ref reader, "text"u8))
                    content.Speaks |= AnswerShape.RangeOf(ref reader) is not null;
                else if (AnswerShape.Is(ref reader, "refusal"u8))
                    content = AnswerShape.RangeOf(ref reader) is not null ? (true, true) : content;
                else
                    AnswerShape.SkipField(ref reader);
            }
        }

        return content;
    }
}
