using System.Text.Json;

namespace LlmPipeline;

/// <summary>The fields of a line that is a JSON object, as far as they tell what the object is.</summary>
internal sealed class RowFields
{
    private RowFields()
    {
    }

    /// <summary>The names of its fields.</summary>
    public List<string> Names { get; } = [];

    /// <summary>How many of custom_id, method and url there are.</summary>
    public int Envelope { get; private set; }

    public bool BodyIsObject { get; private set; }

    public bool IsRequest { get; private set; }

    public bool IsBatchLine => BodyIsObject || Envelope + (Names.Contains("body") ? 1 : 0) >= 2;

    /// <summary>The field <c>prompt</c> or <c>input</c> of a body that names no model; null when there is none.</summary>
    public string? Text => Names.Contains("prompt") ? "prompt" : Names.Contains("input") ? "input" : null;

    /// <summary>What line of another API this is; null for none that is known.</summary>
    public string? OtherApi { get; private set; }

    /// <exception cref="JsonException">The line is not valid JSON.</exception>
    public static RowFields Of(ReadOnlySpan<byte> line)
    {
        var fields = new RowFields();
        var objects = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(line, JsonText.Strict);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = JsonText.TryGet(ref reader, out var text) ? text : "?";
            fields.Names.Add(name);
            if (name is "custom_id" or "method" or "url") fields.Envelope++;
            if (name is "messages" or "input" or "prompt") fields.IsRequest = true;
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject) objects.Add(name);
            reader.Skip();
        }

        reader.Read();
        fields.BodyIsObject = objects.Contains("body");
        fields.OtherApi = objects.Contains("params") && fields.Names.Contains("custom_id") ? "a line of Anthropic's Message Batches API"
            : objects.Contains("modelInput") ? "a line of a batch of Amazon Bedrock"
            : objects.Contains("request") && !fields.IsRequest ? "a line of a batch of Gemini"
            : fields.Names.Contains("contents") && !fields.IsRequest ? "a request of Gemini"
            : null;
        return fields;
    }

    /// <summary>Whether it is a row of a data set rather than a body: a prompt or an input without a model, beside fields that no API has.</summary>
    /// <param name="parameters">The fields of requests.</param>
    public bool IsData(IReadOnlyCollection<string> parameters) =>
        Text is not null && !Names.Contains("model") && !Names.Contains("messages") && Names.Exists(name => !parameters.Contains(name));
}
