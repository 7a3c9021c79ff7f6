using System.Text.Json;

namespace LlmPipeline;

/// <summary>The part that reads what only a request for a response has.</summary>
internal ref partial struct CallRequestReader
{
    // Whether the name that the reader stands on was one of these.
    private bool ReadResponseField()
    {
        if (_reader.ValueTextEquals("instructions"u8))
        {
            _reader.Read();
            if (_reader.TokenType == JsonTokenType.String)
            {
                _text.Clear();
                _request.PromptTokens += TokensPerMessage + TokensPerRole + _meter.Count(_text.Append(ref _reader));
            }
            else if (_reader.TokenType != JsonTokenType.Null)
            {
                Invalid("instructions", "a string");
            }
            return true;
        }
        if (_reader.ValueTextEquals("text"u8))
        {
            ReadTextOptions();
            return true;
        }
        if (_reader.ValueTextEquals("prompt"u8) || _reader.ValueTextEquals("conversation"u8) || _reader.ValueTextEquals("previous_response_id"u8))
        {
            // What is stored with the provider is asked about: no input need stand beside it.
            if (!_prompted)
                BeginConversation();
            SkipValue();
            return true;
        }
        return false;
    }

    /// <summary>A string, or an array of messages and other items.</summary>
    private void ReadItems()
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            ReadMessages();
            return;
        }
        BeginConversation();
        _text.Clear();
        _request.PromptTokens += TokensPerMessage + TokensPerRole + _meter.Count(_text.Append(ref _reader));
        _request.PromptHash = HashOf(_text.Utf8);
    }

    private void ReadTextOptions()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            if (_reader.TokenType != JsonTokenType.Null)
                Invalid("text", "an object");
            return;
        }
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            if (_reader.ValueTextEquals("format"u8))
                ReadFormat();
            else
                SkipValue();
        }
    }
}
