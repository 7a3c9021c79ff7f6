using System.Text.Json;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>An answer that does not fit the schema of its prompt function.</summary>
/// <param name="Text">What the model said; empty when it said nothing.</param>
/// <param name="Code">A code of <see cref="ResultError"/>.</param>
/// <param name="Faults">What is wrong, in one line, without values of the answer.</param>
/// <param name="MayRepair">Whether asking again may help.</param>
internal sealed record AnswerCheck(string Text, string Code, string Faults, bool MayRepair)
{
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>The first choice of a completion that does not fit; null when all fit.</summary>
    /// <param name="schema">What it must fit.</param>
    /// <param name="body">The provider's body, a completion's.</param>
    public static AnswerCheck? Of(AnswerSchema schema, ReadOnlyMemory<byte> body)
    {
        using var document = Parse(body);
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

    /// <summary>Whether a body, which is a completion's, is that of a chat completion.</summary>
    public static bool IsChat(ReadOnlyMemory<byte> body)
    {
        using var document = Parse(body);
        return document.RootElement.TryGetProperty("choices", out var choices) && choices.ValueKind == JsonValueKind.Array && choices.GetArrayLength() > 0
            && choices.EnumerateArray().All(choice => choice.ValueKind == JsonValueKind.Object && choice.TryGetProperty("message", out var message) && message.ValueKind == JsonValueKind.Object);
    }

    /// <summary>Goes on with a conversation: the answer, and what is wrong with it.</summary>
    public ChatHistory Ask(ChatHistory conversation)
    {
        // An assistant's message without text is refused by providers.
        if (Text.Length > 0)
            conversation.Add(new ChatMessageContent(AuthorRole.Assistant, Text));
        conversation.Add(
            new ChatMessageContent(
                AuthorRole.User,
                $"Your answer does not fit the JSON schema: {Faults}. Answer again, with JSON that fits it and nothing else."));
        return conversation;
    }

    // What was taken for a completion may be JSON for a tolerant reader only.
    private static JsonDocument Parse(ReadOnlyMemory<byte> body) =>
        JsonDocument.Parse(LenientJson.ToDecodable(body, out _) ?? throw new InvalidOperationException("A completion is JSON."), AnyDepth);

    private static string? StringOf(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
            ? text.GetString()
            : null;
}
