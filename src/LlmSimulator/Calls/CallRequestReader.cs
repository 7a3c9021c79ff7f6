using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads what matters of a body and skips the rest, whatever it is.</summary>
internal ref partial struct CallRequestReader
{
    private const int MaxChoices = 128;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = 1024 };

    private readonly CallKind _kind;
    private readonly TokenMeter _meter;
    private readonly CallRequest _request;
    private readonly JsonText _text;
    private Utf8JsonReader _reader;
    private CallProblem? _problem;
    private bool _prompted;
    private bool _noTools;

    private CallRequestReader(CallKind kind, ReadOnlySpan<byte> body, TokenMeter meter)
    {
        _kind = kind;
        _meter = meter;
        _request = new CallRequest();
        _text = new JsonText();
        _reader = new Utf8JsonReader(body, Options);
    }

    /// <summary>The request, or what is wrong with it.</summary>
    public static (CallRequest Request, CallProblem? Problem) Read(CallKind kind, ReadOnlySpan<byte> body, TokenMeter meter)
    {
        var reader = new CallRequestReader(kind, body, meter);
        try
        {
            reader.ReadBody();
        }
        catch (JsonException e)
        {
            return (reader._request, new(400, $"We could not parse the JSON body of your request. (Line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.)"));
        }
        return (reader._request, reader._problem);
    }

    private static string PromptName(CallKind kind) => kind switch
    {
        CallKind.Chat => "messages",
        CallKind.Completion => "prompt",
        _ => "input",
    };

    private void ReadBody()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            Wrong(null, "The body of your request must be a JSON object.");
            _reader.Skip();
        }
        else
        {
            while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
                ReadField();
        }
        // Finds what follows the object.
        while (_reader.Read())
        {
        }
        if (_noTools)
            _request.Tools.Clear();
        if (!_prompted)
            Wrong(PromptName(_kind), $"Missing required parameter: '{PromptName(_kind)}'.", "missing_required_parameter");
    }

    private void ReadField()
    {
        if (_reader.ValueTextEquals("model"u8))
            _request.Model = ReadName("model");
        else if (_reader.ValueTextEquals(PromptName(_kind)))
            ReadPrompt();
        else if (_reader.ValueTextEquals("max_tokens"u8) || _reader.ValueTextEquals("max_completion_tokens"u8) || _reader.ValueTextEquals("max_output_tokens"u8))
            _request.MaxTokens = ReadNumber("max_tokens", 1, int.MaxValue) ?? _request.MaxTokens;
        else if (_kind == CallKind.Response && ReadResponseField())
            return;
        else if (_reader.ValueTextEquals("n"u8))
            _request.Choices = ReadNumber("n", 1, MaxChoices) ?? 1;
        else if (_reader.ValueTextEquals("dimensions"u8))
            _request.Dimensions = ReadNumber("dimensions", 1, Embedding.MaxDimensions) ?? Embedding.DefaultDimensions;
        else if (_reader.ValueTextEquals("encoding_format"u8))
            ReadEncoding();
        else if (_reader.ValueTextEquals("response_format"u8))
            ReadFormat();
        else if (_reader.ValueTextEquals("tools"u8))
            ReadTools();
        else if (_reader.ValueTextEquals("tool_choice"u8))
            ReadToolChoice();
        else if (_reader.ValueTextEquals("stream"u8))
            ReadStream();
        else if (_reader.ValueTextEquals("stream_options"u8))
            ReadStreamOptions();
        else
            SkipValue();
    }

    private void ReadPrompt()
    {
        _reader.Read();
        if (_kind == CallKind.Chat)
            ReadMessages();
        else if (_kind == CallKind.Response)
            ReadItems();
        else
            ReadInputs();
    }

    private string? ReadName(string field)
    {
        _reader.Read();
        if (_reader.TokenType == JsonTokenType.Null)
            return null;
        if (_reader.TokenType != JsonTokenType.String)
        {
            Invalid(field, "a string");
            return null;
        }
        var name = new JsonText();
        return Encoding.UTF8.GetString(name.Append(ref _reader));
    }

    private int? ReadNumber(string field, int min, int max)
    {
        _reader.Read();
        if (_reader.TokenType == JsonTokenType.Null)
            return null;
        if (_reader.TokenType == JsonTokenType.Number && _reader.TryGetInt32(out var number) && number >= min && number <= max)
            return number;
        Invalid(field, $"an integer from {min} to {max}");
        return null;
    }

    private void ReadEncoding()
    {
        var format = ReadName("encoding_format");
        _request.Base64 = format == "base64";
        if (format is not (null or "base64" or "float"))
            Wrong("encoding_format", "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.", "invalid_value");
    }

    private void ReadStream()
    {
        _reader.Read();
        if (_reader.TokenType == JsonTokenType.True && _kind == CallKind.Embedding)
            Wrong("stream", "Unsupported value: 'stream' does not support true with embeddings.", "unsupported_value");
        _request.Stream = _reader.TokenType == JsonTokenType.True;
        if (_reader.TokenType is not (JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null))
            Invalid("stream", "a boolean");
    }

    private void ReadStreamOptions()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            if (_reader.TokenType != JsonTokenType.Null)
                Invalid("stream_options", "an object");
            return;
        }
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUsage = _reader.ValueTextEquals("include_usage"u8);
            SkipValue();
            if (isUsage)
                _request.StreamUsage = _reader.TokenType == JsonTokenType.True;
        }
    }

    private void SkipValue()
    {
        _reader.Read();
        _reader.Skip();
    }

    /// <summary>The value that the reader stands on is of another type than it must be; it is skipped.</summary>
    private void Invalid(string field, string expected)
    {
        Wrong(field, $"Invalid value for '{field}': expected {expected}.", "invalid_type");
        _reader.Skip();
    }

    // The first problem is the one to tell.
    private void Wrong(string? field, string message, string? code = null) => _problem ??= new(400, message, field, code);
}
