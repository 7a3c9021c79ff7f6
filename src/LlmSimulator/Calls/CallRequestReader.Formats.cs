using System.Text.Json;

namespace LlmPipeline;

/// <summary>The part that reads what the answer may be: a format, a schema, the call of a tool.</summary>
internal ref partial struct CallRequestReader
{
    private void ReadFormat()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            if (_reader.TokenType != JsonTokenType.Null)
                Invalid("response_format", "an object");
            return;
        }
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            if (_reader.ValueTextEquals("json_schema"u8))
            {
                ReadSchema();
                continue;
            }
            if (_kind == CallKind.Response && _reader.ValueTextEquals("schema"u8))
            {
                _reader.Read();
                if (_reader.TokenType == JsonTokenType.StartObject)
                    _request.Schema = JsonElement.ParseValue(ref _reader);
                else
                    _reader.Skip();
                continue;
            }
            if (!_reader.ValueTextEquals("type"u8))
            {
                SkipValue();
                continue;
            }
            var type = ReadName("response_format.type");
            _request.Json = type is "json_object" or "json_schema";
            if (!_request.Json && type != "text")
                Wrong("response_format.type", "Invalid value for 'response_format.type'. Supported values are: 'text', 'json_object', and 'json_schema'.", "invalid_value");
        }
    }

    private void ReadSchema()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            Invalid("response_format.json_schema", "an object");
            return;
        }
        var named = JsonElement.ParseValue(ref _reader);
        if (named.TryGetProperty("schema"u8, out var schema) && schema.ValueKind == JsonValueKind.Object)
            _request.Schema = schema;
    }

    private void ReadTools()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            if (_reader.TokenType != JsonTokenType.Null)
                Invalid("tools", "an array of tools");
            return;
        }
        foreach (var tool in JsonElement.ParseValue(ref _reader).EnumerateArray())
        {
            if (Function(tool) is { } function && function.TryGetProperty("name"u8, out var name) && name.ValueKind == JsonValueKind.String)
                _request.Tools.Add((name.GetString()!, function.TryGetProperty("parameters"u8, out var parameters) && parameters.ValueKind == JsonValueKind.Object ? parameters : null));
            else
                Wrong("tools", "Invalid value for 'tools': expected functions with a name.", "invalid_value");
        }
    }

    // A response's tool is the function itself.
    private readonly JsonElement? Function(JsonElement tool) =>
        tool.ValueKind != JsonValueKind.Object ? null
        : _kind == CallKind.Response ? tool
        : tool.TryGetProperty("function"u8, out var function) && function.ValueKind == JsonValueKind.Object ? function : null;

    private void ReadToolChoice()
    {
        _reader.Read();
        _noTools = _reader.TokenType == JsonTokenType.String && _reader.ValueTextEquals("none"u8);
        _reader.Skip();
    }
}
