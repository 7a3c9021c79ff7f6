using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads prompts: messages of a chat, items of a response, prompts of a completion, inputs of an embedding.</summary>
internal sealed class PromptReader(CallReading call)
{
    private readonly CallReading _call = call;

    // Of OpenAI's cookbook: each message costs three tokens beside its content and its role's one, and the answer is primed with three.
    private const int TokensPerMessage = 3;
    private const int TokensPerRole = 1;
    private const int TokensOfPriming = 3;
    private const int TokensPerImage = 85;

    private static readonly string HashOfNothing = HashOf([]);

    /// <summary>An array of messages.</summary>
    public void ReadMessages(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            _call.Invalid(ref reader, _call.PromptName, "an array of messages");
            return;
        }
        var messages = 0;
        BeginConversation();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                ReadMessage(ref reader);
            else
                _call.Invalid(ref reader, $"{_call.PromptName}[{messages}]", "an object");
            messages++;
        }
        if (messages == 0)
            _call.Wrong(
                _call.PromptName,
                $"Invalid '{_call.PromptName}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                "empty_array");
    }

    /// <summary>A conversation begins: the tokens that prime the answer are counted.</summary>
    public void BeginConversation()
    {
        _call.HasPrompt = true;
        _call.Request.PromptTokens += TokensOfPriming;
        _call.Request.PromptHash = HashOfNothing;
        _call.Request.Inputs.Clear();
        _call.Request.Inputs.Add(0);
    }

    private void ReadMessage(ref Utf8JsonReader reader)
    {
        var user = false;
        _call.Text.Clear();
        _call.Request.PromptTokens += TokensPerMessage + TokensPerRole;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var role = reader.ValueTextEquals("role"u8);
            if (_call.Kind == CallKind.Response && reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                _call.Request.HasToolResult |= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("function_call_output"u8);
                reader.Skip();
                continue;
            }
            if (!role && !reader.ValueTextEquals("content"u8))
            {
                CallReading.SkipValue(ref reader);
                continue;
            }
            reader.Read();
            if (role)
            {
                user = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("user"u8);
                _call.Request.HasToolResult |= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("tool"u8);
            }
            if (!role && reader.TokenType == JsonTokenType.String)
                _call.Request.PromptTokens += _call.Meter.Count(_call.Text.Append(ref reader));
            else if (!role && reader.TokenType == JsonTokenType.StartArray)
                ReadParts(ref reader);
            else
                reader.Skip();
        }
        if (user)
            _call.Request.PromptHash = HashOf(_call.Text.Utf8);
    }

    private void ReadParts(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var text = reader.ValueTextEquals("text"u8);
                if (reader.ValueTextEquals("image_url"u8))
                    _call.Request.PromptTokens += TokensPerImage;
                reader.Read();
                if (text && reader.TokenType == JsonTokenType.String)
                    _call.Request.PromptTokens += _call.Meter.Count(_call.Text.Append(ref reader));
                else
                    reader.Skip();
            }
        }
    }

    /// <summary>A string, an array of strings, an array of token numbers, or an array of such arrays.</summary>
    public void ReadInputs(ref Utf8JsonReader reader)
    {
        _call.HasPrompt = true;
        _call.Request.PromptTokens = 0;
        _call.Request.Inputs.Clear();
        _call.Text.Clear();
        if (reader.TokenType == JsonTokenType.String)
            AddText(ref reader);
        else if (reader.TokenType == JsonTokenType.StartArray)
            ReadInputArray(ref reader);
        else
            _call.Invalid(ref reader, _call.PromptName, "a string or an array");
        if (_call.Request.Inputs.Count == 0)
            _call.Wrong(_call.PromptName, $"Invalid '{_call.PromptName}': it must not be empty.", "empty_array");
        _call.Request.PromptHash = HashOf(_call.Text.Utf8);
    }

    private void ReadInputArray(ref Utf8JsonReader reader)
    {
        var numbers = new XxHash3();
        var loose = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.String:
                    AddText(ref reader);
                    break;
                case JsonTokenType.Number:
                    numbers.Append(reader.ValueSpan);
                    numbers.Append(" "u8);
                    loose++;
                    break;
                case JsonTokenType.StartArray:
                    AddNumbers(ref reader);
                    break;
                default:
                    _call.Invalid(ref reader, _call.PromptName, "an array of strings or of token numbers");
                    break;
            }
        }
        if (loose > 0)
            AddInput(numbers.GetCurrentHashAsUInt64(), loose);
    }

    private void AddNumbers(ref Utf8JsonReader reader)
    {
        var hash = new XxHash3();
        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number)
            {
                _call.Invalid(ref reader, _call.PromptName, "an array of token numbers");
                continue;
            }
            hash.Append(reader.ValueSpan);
            hash.Append(" "u8);
            count++;
        }
        AddInput(hash.GetCurrentHashAsUInt64(), count);
    }

    private void AddText(ref Utf8JsonReader reader)
    {
        var text = _call.Text.Append(ref reader);
        AddInput(XxHash3.HashToUInt64(text), _call.Meter.Count(text));
    }

    private void AddInput(ulong hash, int tokens)
    {
        _call.Request.Inputs.Add(hash);
        _call.Request.PromptTokens += tokens;
    }

    private static string HashOf(ReadOnlySpan<byte> utf8)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8, hash);
        return Convert.ToHexStringLower(hash[..8]);
    }

    /// <summary>A string, or an array of messages and other items.</summary>
    public void ReadItems(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            ReadMessages(ref reader);
            return;
        }
        BeginConversation();
        _call.Text.Clear();
        _call.Request.PromptTokens += TokensPerMessage + TokensPerRole + _call.Meter.Count(_call.Text.Append(ref reader));
        _call.Request.PromptHash = HashOf(_call.Text.Utf8);
    }

    /// <summary>The instructions of a response, which are a message of their own.</summary>
    public void ReadInstructions(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
        {
            _call.Text.Clear();
            _call.Request.PromptTokens += TokensPerMessage + TokensPerRole + _call.Meter.Count(_call.Text.Append(ref reader));
        }
        else if (reader.TokenType != JsonTokenType.Null)
        {
            _call.Invalid(ref reader, "instructions", "a string");
        }
    }
}
