using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// Counts the completion of an answer whose provider does not: its texts, its reasoning where it is shown, its refusals, and its calls of
/// tools.
/// </summary>
internal static class AnswerTokens
{
    /// <summary>The tokens; 0 for embeddings and others that hold no text.</summary>
    /// <param name="model">The model, whose tokenizer counts.</param>
    /// <param name="body">The answer.</param>
    public static long Count(string model, ReadOnlySpan<byte> body)
    {
        if (body.StartsWith("\uFEFF"u8))
            body = body[3..];
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 512 });
        long tokens = 0;
        var (isAnswer, isText) = (false, false);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName)
                {
                    isText = IsText(ref reader);
                    isAnswer = reader.CurrentDepth == 1 ? IsAnswer(ref reader) : isAnswer;
                }
                else if (reader.TokenType == JsonTokenType.String && isAnswer && isText)
                {
                    tokens += Text(model, ref reader);
                }
            }

            return tokens;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // NaN in it, or half a surrogate: about as many as its bytes say.
            return body.Length / 4;
        }
    }

    // A body also repeats parts of the request, such as the instructions of a response.
    private static bool IsAnswer(ref Utf8JsonReader reader) =>
        reader.IsText("choices"u8)
        || reader.IsText("output"u8)
        || reader.IsText("content"u8)
        || reader.IsText("message"u8)
        || reader.IsText("text"u8) || reader.IsText("response"u8);

    private static bool IsText(ref Utf8JsonReader reader) =>
        reader.IsText("content"u8)
        || reader.IsText("text"u8)
        || reader.IsText("reasoning_content"u8)
        || reader.IsText("reasoning"u8)
        || reader.IsText("thinking"u8)
        || reader.IsText("refusal"u8)
        || reader.IsText("arguments"u8)
        || reader.IsText("name"u8)
        || reader.IsText("response"u8);

    private static long Text(string model, ref Utf8JsonReader reader)
    {
        var text = reader.ValueSpan.Length <= 1024 ? stackalloc char[reader.ValueSpan.Length] : new char[reader.ValueSpan.Length];
        return TokenCounter.Count(model, text[..reader.CopyString(text)]);
    }
}
