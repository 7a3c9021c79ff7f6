using System.Text.Json;

namespace LlmPipeline;

/// <summary>The top-level <c>model</c> of a request body.</summary>
internal static class ModelField
{
    /// <summary>
    /// The body with <paramref name="model"/> as the value of its top-level <c>model</c>, all other bytes as they were. The very same body when that
    /// is the value already, or when there is none.
    /// </summary>
    public static ReadOnlyMemory<byte> Replace(ReadOnlyMemory<byte> body, string model)
    {
        var ranges = new List<Range>();
        var start = body.Span.StartsWith("\uFEFF"u8) ? 3 : 0;
        var reader = new Utf8JsonReader(body.Span[start..], new JsonReaderOptions { MaxDepth = 512 });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return body;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isModel = reader.IsText("model"u8);
                reader.Read();
                var from = start + (int)reader.TokenStartIndex;
                if (isModel && reader.TokenType == JsonTokenType.String && IsSame(ref reader, model))
                    continue;
                reader.Skip();
                if (isModel)
                    ranges.Add(from..(start + (int)reader.BytesConsumed));
            }
        }
        catch (JsonException)
        {
            // It goes as it is, and the provider will say what is wrong with it.
            return body;
        }
        if (ranges.Count == 0)
            return body;

        var name = JsonSerializer.SerializeToUtf8Bytes(model);
        using var replaced = new MemoryStream(body.Length + (name.Length * ranges.Count));
        var position = 0;
        foreach (var range in ranges)
        {
            replaced.Write(body.Span[position..range.Start.Value]);
            replaced.Write(name);
            position = range.End.Value;
        }
        replaced.Write(body.Span[position..]);
        return replaced.GetBuffer().AsMemory(0, (int)replaced.Length);
    }

    // Half a surrogate pair is no model's name.
    private static bool IsSame(ref Utf8JsonReader reader, string model)
    {
        try
        {
            return reader.ValueTextEquals(model);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
