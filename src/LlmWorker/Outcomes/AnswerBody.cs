using System.Text.Json;

namespace LlmPipeline;

/// <summary>What the pipeline reads of a provider's body: whether it is whole, and the tokens.</summary>
/// <param name="IsJsonObject">Whether the body is one whole JSON object and nothing else.</param>
/// <param name="Usage">Its top-level <c>usage</c>, in any of OpenAI's spellings; zeros when there is none.</param>
internal readonly record struct AnswerBody(bool IsJsonObject, TokenUsage Usage)
{
    public static AnswerBody Read(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith("\uFEFF"u8))
            body = body[3..];
        var usage = default(TokenUsage);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 512 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isUsage = reader.IsText("usage"u8);
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
        catch (JsonException)
        {
            return default;
        }
    }

    private static TokenUsage ReadUsage(ref Utf8JsonReader reader)
    {
        long input = 0, cached = 0, output = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isInput = reader.IsText("prompt_tokens"u8) || reader.IsText("input_tokens"u8);
            var isOutput = reader.IsText("completion_tokens"u8) || reader.IsText("output_tokens"u8);
            var isDetails = reader.IsText("prompt_tokens_details"u8) || reader.IsText("input_tokens_details"u8);
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
            var isCached = reader.IsText("cached_tokens"u8);
            reader.Read();
            if (isCached && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var tokens) && tokens >= 0)
                cached = tokens;
            else
                reader.Skip();
        }
        return cached;
    }
}
