using System.Text.Json;

namespace LlmPipeline;

/// <summary>What the pipeline reads of a provider's body: whether it is whole, and the tokens.</summary>
/// <param name="IsJsonObject">Whether the body is one whole JSON object, at least for a tolerant reader.</param>
/// <param name="Usage">Its tokens, see <see cref="UsageReader"/>; zeros when it has none.</param>
internal readonly record struct AnswerBody(bool IsJsonObject, TokenUsage Usage)
{
    /// <summary>Whether the tokens are a total alone, which is all in their input here.</summary>
    public bool IsTotalOnly { get; init; }

    /// <summary>Reads a body as received. Where only a tolerant reader can, its tokens are counted all the same.</summary>
    public static AnswerBody Read(ReadOnlyMemory<byte> body)
    {
        var read = ReadStrict(body.Span);
        return !read.IsJsonObject && LenientJson.ToDecodable(body, out var isLenient) is { } json && isLenient
            ? ReadStrict(json.Span)
            : read;
    }

    private static AnswerBody ReadStrict(ReadOnlySpan<byte> body)
    {
        var usage = default(UsageReader);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = int.MaxValue });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                usage.ReadField(ref reader);
            // Read throws on anything but white space behind the object.
            reader.Read();
            return new AnswerBody(true, usage.Usage) { IsTotalOnly = usage.IsTotalOnly };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // What is wrong with it elsewhere changes nothing of what it has cost. Half of a surrogate pair in a name is an
            // InvalidOperationException.
            return new AnswerBody(false, usage.Usage is { Total: > 0 } told ? told : UsageReader.Find(body));
        }
    }
}
