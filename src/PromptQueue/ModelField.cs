using System.Text.Json;

namespace LlmPipeline;

/// <summary>The top-level <c>model</c> of a request body.</summary>
internal static class ModelField
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 512 };

    /// <summary>
    /// The body with <paramref name="model"/> as the value of its top-level <c>model</c>, all other bytes as they were. The very same body
    /// when that is the value already, or when there is none.
    /// </summary>
    public static ReadOnlyMemory<byte> Replace(ReadOnlyMemory<byte> body, string model) =>
        Write(body, Find(body.Span, model, out _), model);

    /// <summary>As <see cref="Replace"/>; a body without a <c>model</c> gets one as its first field.</summary>
    public static ReadOnlyMemory<byte> Set(ReadOnlyMemory<byte> body, string model)
    {
        var ranges = Find(body.Span, model, out var missing);
        if (missing is not { } start)
            return Write(body, ranges, model);
        var isEmpty = body.Span[start..].TrimStart(" \t\r\n"u8).StartsWith("}"u8);
        var name = JsonSerializer.SerializeToUtf8Bytes(model);
        return (byte[])[.. body.Span[..start], .. "\"model\":"u8, .. name, .. isEmpty ? ""u8 : ","u8, .. body.Span[start..]];
    }

    /// <summary>Finds the values to replace; none in a body that is no JSON object, which the provider refuses.</summary>
    /// <param name="body">The body.</param>
    /// <param name="model">The value that is right already.</param>
    /// <param name="missing">Where the first field of an object without <c>model</c> begins; null for any other body.</param>
    private static List<Range> Find(ReadOnlySpan<byte> body, string model, out int? missing)
    {
        var ranges = new List<Range>();
        missing = null;
        var start = body.StartsWith("\uFEFF"u8) ? 3 : 0;
        var reader = new Utf8JsonReader(body[start..], Options);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return [];
            var first = start + (int)reader.BytesConsumed;
            var found = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isModel = reader.IsText("model"u8);
                found |= isModel;
                reader.Read();
                var from = start + (int)reader.TokenStartIndex;
                if (isModel && reader.TokenType == JsonTokenType.String && IsSame(ref reader, model))
                    continue;
                reader.Skip();
                if (isModel)
                    ranges.Add(from..(start + (int)reader.BytesConsumed));
            }

            missing = found ? null : first;
            return ranges;
        }
        catch (JsonException)
        {
            // It goes as it is, and the provider will say what is wrong with it.
            return [];
        }
    }

    private static ReadOnlyMemory<byte> Write(ReadOnlyMemory<byte> body, List<Range> ranges, string model)
    {
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
