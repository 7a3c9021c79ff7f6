using System.Text.Json;

namespace LlmPipeline;

/// <summary>The choices of a chat completion or a completion.</summary>
internal sealed class ChoiceShape
{
    private ChoiceShape()
    {
    }

    public int Count { get; private set; }

    /// <summary>Choices with a <c>message</c>, or that the provider's filter has left without one.</summary>
    public int Messages { get; private set; }

    /// <summary>Choices with a <c>text</c>, or that the provider's filter has left without one.</summary>
    public int Texts { get; private set; }

    /// <summary>Choices with text, a refusal or the call of a tool: not with reasoning alone.</summary>
    public int Spoken { get; private set; }

    public bool IsCutOff { get; private set; }

    public bool IsRefused { get; private set; }

    /// <summary>The <c>finish_reason</c> of a choice that says that the provider failed; null for none.</summary>
    public string? FailedWith { get; private set; }

    /// <summary>Whether a choice has a <c>finish_reason</c> of null: then it is of a stream that was cut off.</summary>
    public bool IsUnfinished { get; private set; }

    /// <summary>Where the value of a choice's <c>error</c> is; null when none has one.</summary>
    public Range? Error { get; private set; }

    /// <summary>Reads the value of <c>choices</c>; null when that is no array.</summary>
    public static ChoiceShape? Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return null;
        }

        var shape = new ChoiceShape();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                shape.ReadChoice(ref reader);
            else
                reader.Skip();
        }

        return shape;
    }

    private void ReadChoice(ref Utf8JsonReader reader)
    {
        Count++;
        bool hasMessage = false, hasText = false, speaks = false, isFiltered = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (AnswerShape.Is(ref reader, "message"u8))
            {
                hasMessage = reader.TokenType == JsonTokenType.StartObject;
                speaks |= ReadMessage(ref reader);
            }
            else if (AnswerShape.Is(ref reader, "text"u8))
            {
                hasText = reader.TokenType == JsonTokenType.String;
                speaks |= hasText && !reader.ValueSpan.IsEmpty;
                reader.Skip();
            }
            else if (AnswerShape.Is(ref reader, "finish_reason"u8))
            {
                IsUnfinished |= reader.TokenType == JsonTokenType.Null;
                isFiltered = TakeReason(AnswerShape.Text(ref reader));
            }
            else if (AnswerShape.Is(ref reader, "error"u8))
            {
                Error = AnswerShape.RangeOf(ref reader) ?? Error;
            }
            else
            {
                AnswerShape.SkipField(ref reader);
            }
        }

        Messages += hasMessage || isFiltered ? 1 : 0;
        Texts += hasText || isFiltered ? 1 : 0;
        Spoken += speaks ? 1 : 0;
    }

    /// <returns>Whether the provider's filter ended it. It may then have no message at all.</returns>
    private bool TakeReason(string? reason)
    {
        IsCutOff |= FinishReason.IsCutOff(reason);
        FailedWith ??= FinishReason.IsFailure(reason) ? reason : null;
        var isFiltered = FinishReason.IsRefused(reason);
        IsRefused |= isFiltered;
        return isFiltered;
    }

    /// <returns>Whether it says anything beside the role.</returns>
    private bool ReadMessage(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }

        var speaks = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (AnswerShape.Is(ref reader, "refusal"u8))
            {
                var refuses = AnswerShape.RangeOf(ref reader) is not null;
                IsRefused |= refuses;
                speaks |= refuses;
            }
            else if (AnswerShape.Is(ref reader, "content"u8) || AnswerShape.Is(ref reader, "tool_calls"u8)
                || AnswerShape.Is(ref reader, "function_call"u8) || AnswerShape.Is(ref reader, "audio"u8)
                || AnswerShape.Is(ref reader, "images"u8))
            {
                speaks |= AnswerShape.RangeOf(ref reader) is not null;
            }
            else
            {
                AnswerShape.SkipField(ref reader);
            }
        }

        return speaks;
    }
}
