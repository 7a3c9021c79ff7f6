using System.Text.Json;

namespace LlmPipeline;

/// <summary>The items of a list of embeddings.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="Vectors">Of these, items with an <c>embedding</c> that is not empty: numbers, or base64.</param>
/// <param name="Embeddings">Items that say that they are embeddings.</param>
internal sealed record VectorShape(int Count, int Vectors, int Embeddings)
{
    /// <summary>Reads the value of <c>data</c>; null when that is no array.</summary>
    public static VectorShape? Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return null;
        }

        int count = 0, vectors = 0, embeddings = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            bool hasVector = false, isEmbedding = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (AnswerShape.Is(ref reader, "embedding"u8))
                    (hasVector, isEmbedding) = (IsVector(ref reader), true);
                else if (AnswerShape.Is(ref reader, "object"u8))
                    isEmbedding |= AnswerShape.Text(ref reader) == "embedding";
                else
                    AnswerShape.SkipField(ref reader);
            }

            vectors += hasVector ? 1 : 0;
            embeddings += isEmbedding ? 1 : 0;
        }

        return new VectorShape(count, vectors, embeddings);
    }

    // Numbers; or of several vectors to an input, or of several encodings, a list or an object.
    private static bool IsVector(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject))
            return reader.TokenType == JsonTokenType.String && !reader.ValueSpan.IsEmpty;
        var depth = reader.CurrentDepth;
        var hasNumbers = false;
        while (reader.Read() && reader.CurrentDepth > depth)
            hasNumbers |= reader.TokenType == JsonTokenType.Number || (reader.TokenType == JsonTokenType.String && !reader.ValueSpan.IsEmpty);
        return hasNumbers;
    }
}
