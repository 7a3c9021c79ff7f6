using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>The part that reads prompts: messages of a chat, prompts of a completion, inputs of an embedding.</summary>
internal ref partial struct CallRequestReader
{
    // Of OpenAI's cookbook: each message costs three tokens beside its content and its role's one, and the answer is primed with three.
    private const int TokensPerMessage = 3;
    private const int TokensPerRole = 1;
    private const int TokensOfPriming = 3;
    private const int TokensPerImage = 85;

    private static readonly string HashOfNothing = HashOf([]);

    private void ReadMessages()
    {
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            Invalid(PromptName(_kind), "an array of messages");
            return;
        }
        var messages = 0;
        BeginConversation();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType == JsonTokenType.StartObject)
                ReadMessage();
            else
                Invalid($"{PromptName(_kind)}[{messages}]", "an object");
            messages++;
        }
        if (messages == 0)
            Wrong(PromptName(_kind), $"Invalid '{PromptName(_kind)}': empty array. Expected an array with minimum length 1, but got an empty array instead.", "empty_array");
    }

    private void BeginConversation()
    {
        _prompted = true;
        _request.PromptTokens += TokensOfPriming;
        _request.PromptHash = HashOfNothing;
        _request.Inputs.Clear();
        _request.Inputs.Add(0);
    }

    private void ReadMessage()
    {
        var user = false;
        _text.Clear();
        _request.PromptTokens += TokensPerMessage + TokensPerRole;
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            var role = _reader.ValueTextEquals("role"u8);
            if (_kind == CallKind.Response && _reader.ValueTextEquals("type"u8))
            {
                _reader.Read();
                _request.HasToolResult |= _reader.TokenType == JsonTokenType.String && _reader.ValueTextEquals("function_call_output"u8);
                _reader.Skip();
                continue;
            }
            if (!role && !_reader.ValueTextEquals("content"u8))
            {
                SkipValue();
                continue;
            }
            _reader.Read();
            if (role)
            {
                user = _reader.TokenType == JsonTokenType.String && _reader.ValueTextEquals("user"u8);
                _request.HasToolResult |= _reader.TokenType == JsonTokenType.String && _reader.ValueTextEquals("tool"u8);
            }
            if (!role && _reader.TokenType == JsonTokenType.String)
                _request.PromptTokens += _meter.Count(_text.Append(ref _reader));
            else if (!role && _reader.TokenType == JsonTokenType.StartArray)
                ReadParts();
            else
                _reader.Skip();
        }
        if (user)
            _request.PromptHash = HashOf(_text.Utf8);
    }

    private void ReadParts()
    {
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                _reader.Skip();
                continue;
            }
            while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
            {
                var text = _reader.ValueTextEquals("text"u8);
                if (_reader.ValueTextEquals("image_url"u8))
                    _request.PromptTokens += TokensPerImage;
                _reader.Read();
                if (text && _reader.TokenType == JsonTokenType.String)
                    _request.PromptTokens += _meter.Count(_text.Append(ref _reader));
                else
                    _reader.Skip();
            }
        }
    }

    /// <summary>A string, an array of strings, an array of token numbers, or an array of such arrays.</summary>
    private void ReadInputs()
    {
        _prompted = true;
        _request.PromptTokens = 0;
        _request.Inputs.Clear();
        _text.Clear();
        if (_reader.TokenType == JsonTokenType.String)
            AddText();
        else if (_reader.TokenType == JsonTokenType.StartArray)
            ReadInputArray();
        else
            Invalid(PromptName(_kind), "a string or an array");
        if (_request.Inputs.Count == 0)
            Wrong(PromptName(_kind), $"Invalid '{PromptName(_kind)}': it must not be empty.", "empty_array");
        _request.PromptHash = HashOf(_text.Utf8);
    }

    private void ReadInputArray()
    {
        var numbers = new XxHash3();
        var loose = 0;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            switch (_reader.TokenType)
            {
                case JsonTokenType.String:
                    AddText();
                    break;
                case JsonTokenType.Number:
                    numbers.Append(_reader.ValueSpan);
                    numbers.Append(" "u8);
                    loose++;
                    break;
                case JsonTokenType.StartArray:
                    AddNumbers();
                    break;
                default:
                    Invalid(PromptName(_kind), "an array of strings or of token numbers");
                    break;
            }
        }
        if (loose > 0)
            AddInput(numbers.GetCurrentHashAsUInt64(), loose);
    }

    private void AddNumbers()
    {
        var hash = new XxHash3();
        var count = 0;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType != JsonTokenType.Number)
            {
                Invalid(PromptName(_kind), "an array of token numbers");
                continue;
            }
            hash.Append(_reader.ValueSpan);
            hash.Append(" "u8);
            count++;
        }
        AddInput(hash.GetCurrentHashAsUInt64(), count);
    }

    private void AddText()
    {
        var text = _text.Append(ref _reader);
        AddInput(XxHash3.HashToUInt64(text), _meter.Count(text));
    }

    private readonly void AddInput(ulong hash, int tokens)
    {
        _request.Inputs.Add(hash);
        _request.PromptTokens += tokens;
    }

    private static string HashOf(ReadOnlySpan<byte> utf8)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8, hash);
        return Convert.ToHexStringLower(hash[..8]);
    }
}
