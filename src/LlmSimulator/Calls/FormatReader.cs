using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads what the answer may be: a format, a schema, the call of a tool.</summary>
internal sealed class FormatReader(CallReading call)
{
    private readonly CallReading _call = call;
    private bool _noTools;

    /// <summary>The format of an answer: text, JSON, or JSON of a schema.</summary>
    public void ReadFormat(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            if (reader.TokenType != JsonTokenType.Null)
                _call.Invalid(ref reader, "response_format", "an object");
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("json_schema"u8))
            {
                ReadSchema(ref reader);
                continue;
            }
            if (_call.Kind == CallKind.Response && reader.ValueTextEquals("schema"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.StartObject)
                    _call.Request.Schema = JsonElement.ParseValue(ref reader);
                else
                    reader.Skip();
                continue;
            }
            if (!reader.ValueTextEquals("type"u8))
            {
                CallReading.SkipValue(ref reader);
                continue;
            }
            var type = _call.ReadName(ref reader, "response_format.type");
            _call.Request.Json = type is "json_object" or "json_schema";
            if (!_call.Request.Json && type != "text")
                _call.Wrong(
                    "response_format.type",
                    "Invalid value for 'response_format.type'. Supported values are: 'text', 'json_object', and 'json_schema'.",
                    "invalid_value");
        }
    }

    private void ReadSchema(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            _call.Invalid(ref reader, "response_format.json_schema", "an object");
            return;
        }
        var named = JsonElement.ParseValue(ref reader);
        if (named.TryGetProperty("schema"u8, out var schema) && schema.ValueKind == JsonValueKind.Object)
            _call.Request.Schema = schema;
    }

    /// <summary>The tools that may be called.</summary>
    public void ReadTools(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            if (reader.TokenType != JsonTokenType.Null)
                _call.Invalid(ref reader, "tools", "an array of tools");
            return;
        }
        foreach (var tool in JsonElement.ParseValue(ref reader).EnumerateArray())
        {
            if (Function(tool) is { } function && function.TryGetProperty("name"u8, out var name) && name.ValueKind == JsonValueKind.String)
                _call.Request.Tools.Add((name.GetString()!, ParametersOf(function)));
            else
                _call.Wrong("tools", "Invalid value for 'tools': expected functions with a name.", "invalid_value");
        }
    }

    private static JsonElement? ParametersOf(JsonElement function) =>
        function.TryGetProperty("parameters"u8, out var parameters) && parameters.ValueKind == JsonValueKind.Object ? parameters : null;

    // A response's tool is the function itself.
    private JsonElement? Function(JsonElement tool) =>
        tool.ValueKind != JsonValueKind.Object ? null
        : _call.Kind == CallKind.Response ? tool
        : tool.TryGetProperty("function"u8, out var function) && function.ValueKind == JsonValueKind.Object ? function : null;

    /// <summary>Whether tools may be called.</summary>
    public void ReadToolChoice(ref Utf8JsonReader reader)
    {
        reader.Read();
        _noTools = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("none"u8);
        reader.Skip();
    }

    /// <summary>The options of a response's text, which hold its format.</summary>
    public void ReadTextOptions(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            if (reader.TokenType != JsonTokenType.Null)
                _call.Invalid(ref reader, "text", "an object");
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("format"u8))
                ReadFormat(ref reader);
            else
                CallReading.SkipValue(ref reader);
        }
    }

    /// <summary>The request is read: tools that may not be called are none.</summary>
    public void End()
    {
        if (_noTools)
            _call.Request.Tools.Clear();
    }
}
