using System.Text.Json;

namespace LlmPipeline;

/// <summary>The top-level <c>background</c> of a request for a response.</summary>
internal static class BackgroundField
{
    /// <summary>Whether it is true.</summary>
    public static bool IsSet(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body.StartsWith("\uFEFF"u8) ? body[3..] : body, new JsonReaderOptions { MaxDepth = 512 });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isBackground = reader.IsText("background"u8);
                reader.Read();
                if (isBackground && reader.TokenType == JsonTokenType.True)
                    return true;
                reader.Skip();
            }

            return false;
        }
        catch (JsonException)
        {
            // It goes as it is, and the provider says what is wrong with it.
            return false;
        }
    }
}
