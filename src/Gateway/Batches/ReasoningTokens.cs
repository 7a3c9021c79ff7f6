using System.Text.Json;

namespace LlmPipeline;

/// <summary>Finds how many tokens of an answer were spent on reasoning: in <c>usage.completion_tokens_details</c>, or <c>usage.output_tokens_details</c> of a response.</summary>
internal static class ReasoningTokens
{
    /// <summary>Of a provider's body; 0 where it doesn't say.</summary>
    public static long Of(ReadOnlySpan<byte> body)
    {
        if (body.IndexOf("\"reasoning_tokens\""u8) < 0)
            return 0;
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            return Enter(ref reader, "usage"u8, "usage"u8) && Enter(ref reader, "completion_tokens_details"u8, "output_tokens_details"u8) && Find(ref reader, "reasoning_tokens"u8, "reasoning_tokens"u8)
                && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var tokens) ? tokens : 0;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON for a strict reader, or half of a surrogate pair in a name.
            return 0;
        }
    }

    private static bool Enter(ref Utf8JsonReader reader, ReadOnlySpan<byte> name, ReadOnlySpan<byte> orName) =>
        Find(ref reader, name, orName) && reader.TokenType == JsonTokenType.StartObject;

    // From before or at the start of an object to the value of a property of its own.
    private static bool Find(ref Utf8JsonReader reader, ReadOnlySpan<byte> name, ReadOnlySpan<byte> orName)
    {
        if (reader.TokenType == JsonTokenType.None)
            reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isIt = reader.IsText(name) || reader.IsText(orName);
            reader.Read();
            if (isIt)
                return true;
            reader.Skip();
        }

        return false;
    }
}
