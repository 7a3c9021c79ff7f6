using System.Text.Json;

namespace LlmPipeline;

/// <summary>What the pipeline reads of a provider's body: whether it is whole, and the tokens.</summary>
/// <param name="IsJsonObject">Whether the body is one whole JSON object and nothing else.</param>
/// <param name="Usage">Its tokens, see <see cref="UsageReader"/>; zeros when it tells none.</param>
internal readonly record struct AnswerBody(bool IsJsonObject, TokenUsage Usage)
{
    public static AnswerBody Read(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith("\uFEFF"u8))
            body = body[3..];
        var usage = default(UsageReader);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 512 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                usage.ReadField(ref reader);
            // Read throws on anything but white space behind the object.
            reader.Read();
            return new AnswerBody(true, usage.Usage);
        }
        catch (JsonException)
        {
            // What is wrong with it elsewhere changes nothing of what it has cost.
            return new AnswerBody(false, usage.Usage is { Total: > 0 } told ? told : UsageReader.Find(body));
        }
    }
}
