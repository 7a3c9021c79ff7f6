using System.Text.Json;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>An answer that does not fit the schema of its prompt function.</summary>
/// <param name="Text">What the model said; empty when it said nothing.</param>
/// <param name="Code">A code of <see cref="ResultError"/>.</param>
/// <param name="Faults">What is wrong, in one line, without values of the answer.</param>
/// <param name="MayMend">Whether asking again may help.</param>
internal sealed record AnswerCheck(string Text, string Code, string Faults, bool MayMend)
{
    private static readonly JsonDocumentOptions Depth = new() { MaxDepth = 512 };

    /// <summary>The first choice of a completion that does not fit; null when all fit.</summary>
    /// <param name="schema">What it must fit.</param>
    /// <param name="body">The provider's body, a whole JSON object.</param>
    public static AnswerCheck? Of(AnswerSchema schema, ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body, Depth);
        if (!document.RootElement.TryGetProperty("choices", out var choices) || choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0)
            return new AnswerCheck("", ResultError.SchemaMismatch, "no answer", true);
        foreach (var choice in choices.EnumerateArray())
        {
            var message = choice.ValueKind == JsonValueKind.Object && choice.TryGetProperty("message", out var said) ? said : default;
            // Asking again whoever has declined would press the model, and cost.
            if (StringOf(message, "refusal") is { Length: > 0 })
                return new AnswerCheck("", ResultError.Refusal, "the model refused to answer", false);
            var text = StringOf(message, "content") ?? "";
            var faults = schema.Faults(text);
            if (faults.Count == 0)
                continue;
            var cut = StringOf(choice, "finish_reason") == "length" ? "cut off at the most tokens that it may have; " : "";
            return new AnswerCheck(text, ResultError.SchemaMismatch, cut + string.Join("; ", faults), true);
        }
        return null;
    }

    /// <summary>Whether a body, a whole JSON object, is that of a chat completion.</summary>
    public static bool IsChat(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body, Depth);
        return document.RootElement.TryGetProperty("choices", out var choices) && choices.ValueKind == JsonValueKind.Array && choices.GetArrayLength() > 0
            && choices.EnumerateArray().All(choice => choice.ValueKind == JsonValueKind.Object && choice.TryGetProperty("message", out var message) && message.ValueKind == JsonValueKind.Object);
    }

    /// <summary>Goes on with a conversation: the answer, and what is wrong with it.</summary>
    public ChatHistory Ask(ChatHistory heard)
    {
        // An assistant's message without text is refused by providers.
        if (Text.Length > 0)
            heard.Add(new ChatMessageContent(AuthorRole.Assistant, Text));
        heard.Add(new ChatMessageContent(AuthorRole.User, $"Your answer does not fit the JSON schema: {Faults}. Answer again, with JSON that fits it and nothing else."));
        return heard;
    }

    private static string? StringOf(JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out var text) || text.ValueKind != JsonValueKind.String)
            return null;
        try
        {
            return text.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair, which is no text for .NET, and no JSON either.
            return text.GetRawText();
        }
    }
}
