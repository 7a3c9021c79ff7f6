using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// How many embeddings a request asks for: one for each text, or list of tokens, of <c>input</c>
/// (<see href="https://platform.openai.com/docs/api-reference/embeddings/create"/>). There are servers that answer fewer
/// (<see href="https://github.com/gpustack/gpustack/issues/513"/>).
/// </summary>
internal static class EmbeddingInputs
{
    /// <param name="body">A request's body.</param>
    /// <returns>0 when it does not say.</returns>
    public static int Count(ReadOnlySpan<byte> body)
    {
        try
        {
            var json = body.StartsWith("\uFEFF"u8) ? body[3..] : body;
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = int.MaxValue });
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                // As it is written: the reader's own comparison throws at half of a surrogate pair.
                var isInput = reader.ValueSpan.SequenceEqual("input"u8);
                reader.Read();
                if (isInput)
                    return CountInput(ref reader);
                reader.Skip();
            }

            return 0;
        }
        catch (JsonException)
        {
            // It goes as it is, and the provider will say what is wrong with it.
            return 0;
        }
    }

    private static int CountInput(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            return reader.TokenType == JsonTokenType.String ? 1 : 0;
        int inputs = 0, tokens = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; reader.Skip())
        {
            inputs++;
            tokens += reader.TokenType == JsonTokenType.Number ? 1 : 0;
        }

        return tokens > 0 ? 1 : inputs;
    }
}
