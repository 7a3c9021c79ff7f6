using System.Text.Json;

namespace LlmPipeline;

/// <summary>Tells what a file holds by its first line that isn't blank.</summary>
internal static class RowKind
{
    /// <summary>Answers what is wrong with the line, or null and the kind.</summary>
    /// <exception cref="JsonException">The line starts with a brace, but is not valid JSON.</exception>
    public static RowFault? Tell(ReadOnlySpan<byte> line, InputOptions options, out InputKind kind)
    {
        kind = InputKind.BatchLines;
        if (options.BatchEndpoint is not null) return null;
        var hasPrompt = options.PromptName is not null;
        kind = hasPrompt ? InputKind.CsvRows : InputKind.Text;
        var text = line.Trim(" \t\r"u8);
        if (text[0] == '[' && IsArray(text)) return new(null, "a JSON array; one JSON object a line is wanted", InputError.InvalidJson);
        if (text[0] != '{') return null;

        var fields = FieldsOf(line);
        kind = fields.IsBatchLine ? InputKind.BatchLines : fields.IsRequest ? InputKind.Requests : InputKind.Rows;
        if (hasPrompt)
        {
            // A row may well have a field called url or body; an object as body beside an envelope's field is no coincidence.
            if (fields is { BodyIsObject: true, Envelope: > 0 })
                return new(null, $"an OpenAI Batch line holds its own prompt; leave out --prompt {options.PromptName}");
            kind = InputKind.Rows;
        }

        if (kind == InputKind.Rows) return hasPrompt ? null : new(null, "a row of data needs --prompt NAME (a request would hold messages, input or prompt)");
        if (options.System is not null) return new(null, "holds its own messages; --system is for plain text and rows");
        return options.Settings.Count > 0 ? new(null, "holds its own settings; --set is for plain text and rows") : null;
    }

    // "[INST] hello" is a prompt; "[", "[{" and whole arrays are JSON.
    private static bool IsArray(ReadOnlySpan<byte> text)
    {
        var rest = text[1..].TrimStart(" \t"u8);
        if (rest.IsEmpty || rest[0] == '{') return true;
        try
        {
            var reader = new Utf8JsonReader(text, JsonText.Strict);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static Fields FieldsOf(ReadOnlySpan<byte> line)
    {
        var fields = new Fields();
        var reader = new Utf8JsonReader(line, JsonText.Strict);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (JsonText.Is(ref reader, "custom_id"u8) || JsonText.Is(ref reader, "method"u8) || JsonText.Is(ref reader, "url"u8)) fields.Envelope++;
            if (JsonText.Is(ref reader, "messages"u8) || JsonText.Is(ref reader, "input"u8) || JsonText.Is(ref reader, "prompt"u8)) fields.IsRequest = true;
            var isBody = JsonText.Is(ref reader, "body"u8);
            reader.Read();
            fields.HasBody |= isBody;
            fields.BodyIsObject |= isBody && reader.TokenType == JsonTokenType.StartObject;
            reader.Skip();
        }

        reader.Read();
        return fields;
    }

    private struct Fields
    {
        // How many of custom_id, method and url there are.
        public int Envelope;
        public bool HasBody;
        public bool BodyIsObject;
        public bool IsRequest;

        public readonly bool IsBatchLine => BodyIsObject || Envelope + (HasBody ? 1 : 0) >= 2;
    }
}
