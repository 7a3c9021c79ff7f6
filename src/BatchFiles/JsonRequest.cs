using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// What a request body says, as far as it is judged before it is sent. It is read in one pass, before the path may be known, so that the shape
/// can be judged against the path afterwards.
/// </summary>
internal sealed class JsonRequest(JsonNames names, InputOptions options)
{
    private readonly JsonKeys _keys = new();
    private RowFault? _fault;
    private RowFault? _messagesFault;
    private bool _messages;
    private bool _input;
    private bool _prompt;
    private bool _promptIsObject;
    private bool _promptIsText;

    /// <summary>The model of the body; of one that names none, the one asked for.</summary>
    public string? Model { get; private set; }

    /// <summary>Whether the body names its model itself.</summary>
    public bool HasOwnModel { get; private set; }

    /// <summary>
    /// Whether the body is a prompt alone: a text in <c>prompt</c> and no model of its own. It is sent as a chat, which all models know;
    /// completions are for those that are named in the body.
    /// </summary>
    public bool IsPromptAlone => _promptIsText && !HasOwnModel && !_messages && !_input;

    /// <summary>The OpenAI path that a body of this shape goes to; null when it is none that is known.</summary>
    public string? Url =>
        _messages || IsPromptAlone ? RowUrl.Chat
        : _input ? Model?.Contains("embed", StringComparison.OrdinalIgnoreCase) == true ? RowUrl.Embeddings : RowUrl.Responses
        : _promptIsObject ? RowUrl.Responses
        : _prompt ? RowUrl.Completions
        : null;

    /// <summary>Reads the object that the reader stands at the start of, and stops at its end.</summary>
    public void Read(ref Utf8JsonReader reader, string prefix)
    {
        _keys.Clear();
        _fault = _messagesFault = null;
        _messages = _input = _prompt = _promptIsObject = _promptIsText = false;
        HasOwnModel = false;
        Model = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!_keys.Add(ref reader)) _fault ??= new(prefix + (JsonText.TryGet(ref reader, out var name) ? name : "?"), "stands there twice");
            if (JsonText.Is(ref reader, "messages"u8))
            {
                _messages = true;
                ReadMessages(ref reader, prefix);
            }
            else if (JsonText.Is(ref reader, "model"u8))
            {
                ReadModel(ref reader, prefix);
            }
            else if (JsonText.Is(ref reader, "stream"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.True) _fault ??= new(prefix + "stream", "streamed rows are not supported; leave it out");
                reader.Skip();
            }
            else if (JsonText.Is(ref reader, "input"u8))
            {
                reader.Read();
                _input = reader.TokenType != JsonTokenType.Null;
                reader.Skip();
            }
            else if (JsonText.Is(ref reader, "prompt"u8))
            {
                reader.Read();
                _prompt = reader.TokenType != JsonTokenType.Null;
                _promptIsObject = reader.TokenType == JsonTokenType.StartObject;
                _promptIsText = reader.TokenType == JsonTokenType.String;
                reader.Skip();
            }
            else
            {
                reader.Skip();
            }
        }

        Model ??= options.Model;
    }

    /// <summary>What keeps the body from being sent to this path; null for nothing.</summary>
    public RowFault? Fault(string url, string prefix)
    {
        if (_fault is not null) return _fault;
        if (Model is null) return new(prefix + "model", options.BatchEndpoint is null ? "missing; --model M names it" : "missing");
        return url switch
        {
            RowUrl.Chat when IsPromptAlone && prefix.Length == 0 => null,
            RowUrl.Chat => _messages ? _messagesFault : new(prefix + "messages", "missing"),
            RowUrl.Completions => _prompt ? null : new(prefix + "prompt", "missing"),
            // A responses body may name a stored prompt, an object, in place of an input.
            RowUrl.Responses when _promptIsObject => null,
            RowUrl.Embeddings or RowUrl.Responses => _input ? null : new(prefix + "input", "missing"),
            _ => null,
        };
    }

    private void ReadModel(ref Utf8JsonReader reader, string prefix)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            HasOwnModel = true;
            _fault ??= new(prefix + "model", "must be a string");
            reader.Skip();
        }
        else if (!names.TryGet(ref reader, out var model))
        {
            _fault ??= new(prefix + "model", JsonText.HalfSurrogate);
        }
        else
        {
            Model = model;
            HasOwnModel = true;
            if (RowModel.Fault(model) is { } what) _fault ??= new(prefix + "model", what);
        }
    }

    private void ReadMessages(ref Utf8JsonReader reader, string prefix)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            _messagesFault = new(prefix + "messages", "must be an array of objects");
            reader.Skip();
            return;
        }

        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (MessageFault(ref reader) is { } fault)
                _messagesFault ??= fault with { Field = $"{prefix}messages[{count}]{fault.Field}" };
            count++;
        }

        if (count == 0) _messagesFault = new(prefix + "messages", "empty");
    }

    private static RowFault? MessageFault(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return new(null, "must be an object");
        }

        RowFault? fault = new(".role", "missing");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isRole = JsonText.Is(ref reader, "role"u8);
            reader.Read();
            if (isRole) fault = reader.TokenType == JsonTokenType.String ? null : new(".role", "must be a string");
            reader.Skip();
        }

        return fault;
    }
}
