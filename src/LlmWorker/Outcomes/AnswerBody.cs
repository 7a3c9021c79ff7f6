using System.Text.Json;

namespace LlmPipeline;

/// <summary>What the pipeline reads of a provider's body: whether it is whole, and the tokens.</summary>
/// <param name="IsJsonObject">Whether the body is one whole JSON object, at least for a tolerant reader.</param>
/// <param name="Usage">Its top-level <c>usage</c>, in any of OpenAI's spellings; zeros when there is none.</param>
internal readonly record struct AnswerBody(bool IsJsonObject, TokenUsage Usage)
{
    /// <summary>Reads a body as received. Where only a tolerant reader can, its tokens are counted all the same.</summary>
    public static AnswerBody Read(ReadOnlyMemory<byte> body) =>
        ReadStrict(body.Span) is { IsJsonObject: true } read ? read
        : JsonRepair.ToStrict(body, out var isLenient) is { } json && isLenient ? ReadStrict(json.Span)
        : default;

    private static AnswerBody ReadStrict(ReadOnlySpan<byte> body)
    {
        var usage = default(TokenUsage);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = int.MaxValue });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isUsage = reader.ValueTextEquals("usage"u8);
                reader.Read();
                if (isUsage && reader.TokenType == JsonTokenType.StartObject)
                    usage = ReadUsage(ref reader);
                else
                    reader.Skip();
            }
            // Read throws on anything but white space behind the object.
            reader.Read();
            return new AnswerBody(true, usage);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter for half of a surrogate pair in a name.
            return default;
        }
    }

    private static TokenUsage ReadUsage(ref Utf8JsonReader reader)
    {
        long input = 0, cached = 0, output = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isInput = reader.ValueTextEquals("prompt_tokens"u8) || reader.ValueTextEquals("input_tokens"u8);
            var isOutput = reader.ValueTextEquals("completion_tokens"u8) || reader.ValueTextEquals("output_tokens"u8);
            var isDetails = reader.ValueTextEquals("prompt_tokens_details"u8) || reader.ValueTextEquals("input_tokens_details"u8);
            reader.Read();
            if (isDetails && reader.TokenType == JsonTokenType.StartObject)
                cached = ReadCached(ref reader);
            else if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var tokens) && tokens >= 0)
                (input, output) = (isInput ? tokens : input, isOutput ? tokens : output);
            else
                reader.Skip();
        }
        return new TokenUsage(input, cached, output);
    }

    private static long ReadCached(ref Utf8JsonReader reader)
    {
        long cached = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isCached = reader.ValueTextEquals("cached_tokens"u8);
            reader.Read();
            if (isCached && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var tokens) && tokens >= 0)
                cached = tokens;
            else
                reader.Skip();
        }
        return cached;
    }
}
