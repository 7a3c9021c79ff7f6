using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads what matters of a body and skips the rest, whatever it is.</summary>
internal sealed class CallRequestReader
{
    private const int MaxChoices = 128;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = 1024 };

    private readonly CallReading _call;
    private readonly PromptReader _prompts;
    private readonly FormatReader _formats;

    private CallRequestReader(CallReading call)
    {
        _call = call;
        _prompts = new PromptReader(call);
        _formats = new FormatReader(call);
    }

    /// <summary>The request, or what is wrong with it.</summary>
    public static (CallRequest Request, CallProblem? Problem) Read(CallKind kind, ReadOnlySpan<byte> body, TokenMeter meter)
    {
        var call = new CallReading(kind, meter);
        var reader = new Utf8JsonReader(body, Options);
        try
        {
            new CallRequestReader(call).ReadBody(ref reader);
        }
        catch (JsonException e)
        {
            var place = $"Line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.";
            return (call.Request, new(400, $"We could not parse the JSON body of your request. ({place})"));
        }

        return (call.Request, call.Problem);
    }

    private void ReadBody(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            _call.Wrong(null, "The body of your request must be a JSON object.");
            reader.Skip();
        }
        else
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                ReadField(ref reader);
        }
        // Finds what follows the object.
        while (reader.Read())
        {
        }
        _formats.End();
        if (!_call.HasPrompt)
            _call.Wrong(_call.PromptName, $"Missing required parameter: '{_call.PromptName}'.", "missing_required_parameter");
    }

    private void ReadField(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("model"u8))
            _call.Request.Model = _call.ReadName(ref reader, "model");
        else if (reader.ValueTextEquals(_call.PromptName))
            ReadPrompt(ref reader);
        else if (reader.ValueTextEquals("max_tokens"u8)
            || reader.ValueTextEquals("max_completion_tokens"u8)
            || reader.ValueTextEquals("max_output_tokens"u8))
            _call.Request.MaxTokens = _call.ReadNumber(ref reader, "max_tokens", 1, int.MaxValue) ?? _call.Request.MaxTokens;
        else if (_call.Kind == CallKind.Response && ReadResponseField(ref reader))
            return;
        else if (reader.ValueTextEquals("n"u8))
            _call.Request.Choices = _call.ReadNumber(ref reader, "n", 1, MaxChoices) ?? 1;
        else if (reader.ValueTextEquals("dimensions"u8))
            _call.Request.Dimensions =
                _call.ReadNumber(ref reader, "dimensions", 1, Embedding.MaxDimensions) ?? Embedding.DefaultDimensions;
        else if (reader.ValueTextEquals("encoding_format"u8))
            ReadEncoding(ref reader);
        else if (reader.ValueTextEquals("response_format"u8))
            _formats.ReadFormat(ref reader);
        else if (reader.ValueTextEquals("tools"u8))
            _formats.ReadTools(ref reader);
        else if (reader.ValueTextEquals("tool_choice"u8))
            _formats.ReadToolChoice(ref reader);
        else if (reader.ValueTextEquals("stream"u8))
            ReadStream(ref reader);
        else if (reader.ValueTextEquals("stream_options"u8))
            ReadStreamOptions(ref reader);
        else
            CallReading.SkipValue(ref reader);
    }

    private void ReadPrompt(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (_call.Kind == CallKind.Chat)
            _prompts.ReadMessages(ref reader);
        else if (_call.Kind == CallKind.Response)
            _prompts.ReadItems(ref reader);
        else
            _prompts.ReadInputs(ref reader);
    }

    // Whether the name at the reader was one of these.
    private bool ReadResponseField(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("instructions"u8))
        {
            _prompts.ReadInstructions(ref reader);
            return true;
        }
        if (reader.ValueTextEquals("text"u8))
        {
            _formats.ReadTextOptions(ref reader);
            return true;
        }
        if (reader.ValueTextEquals("prompt"u8)
            || reader.ValueTextEquals("conversation"u8)
            || reader.ValueTextEquals("previous_response_id"u8))
        {
            // What is stored with the provider is asked about: the request needs no input beside it.
            if (!_call.HasPrompt)
                _prompts.BeginConversation();
            CallReading.SkipValue(ref reader);
            return true;
        }
        return false;
    }

    private void ReadEncoding(ref Utf8JsonReader reader)
    {
        var format = _call.ReadName(ref reader, "encoding_format");
        _call.Request.Base64 = format == "base64";
        if (format is not (null or "base64" or "float"))
            _call.Wrong(
                "encoding_format", "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.", "invalid_value");
    }

    private void ReadStream(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.True && _call.Kind == CallKind.Embedding)
            _call.Wrong("stream", "Unsupported value: 'stream' does not support true with embeddings.", "unsupported_value");
        _call.Request.Stream = reader.TokenType == JsonTokenType.True;
        if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null))
            _call.Invalid(ref reader, "stream", "a boolean");
    }

    private void ReadStreamOptions(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            if (reader.TokenType != JsonTokenType.Null)
                _call.Invalid(ref reader, "stream_options", "an object");
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUsage = reader.ValueTextEquals("include_usage"u8);
            CallReading.SkipValue(ref reader);
            if (isUsage)
                _call.Request.StreamUsage = reader.TokenType == JsonTokenType.True;
        }
    }
}
