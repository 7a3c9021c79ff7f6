using System.Globalization;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>The numbers of one usage object under their many names, and what they come to.</summary>
internal struct UsageCounts
{
    // An answer that claims more is wrong, and must spoil neither a sum nor a quota.
    private const double Most = 1_000_000_000;

    private long? _input;
    private long? _output;
    private long? _total;
    private long _cached;
    private long _cacheRead;
    private long _cacheWritten;
    private long _reasoning;
    private bool _isBeyondBelief;
    private bool _saysPrompt;

    private enum Field
    {
        None,
        Input,
        Output,
        Total,
        Cached,
        CacheRead,
        CacheWritten,
        Reasoning,
        Details,
    }

    public readonly bool IsEmpty => _input is null && _output is null && _total is null;

    /// <summary>Whether there is only a total, which may hold a completion.</summary>
    public readonly bool IsTotalOnly => !_isBeyondBelief && _input is null && _output is null or 0 && _total > 0;

    /// <summary>
    /// The tokens that are paid for. A total that is more than prompt and completion includes reasoning beside the completion (Gemini, xAI)
    /// or of cached tokens beside the input (Anthropic); where it is no more, both are parts of them (OpenAI) and are not counted again.
    /// </summary>
    public readonly TokenUsage Sum()
    {
        if (_isBeyondBelief || IsEmpty)
            return default;
        var input = _input ?? Math.Max(0, (_total ?? 0) - (_output ?? 0));
        var output = _output ?? (_input is null ? 0 : Math.Max(0, (_total ?? 0) - input));
        var cache = _cacheRead + _cacheWritten;
        if (cache > 0 && (_total is { } all ? all - input - output >= cache : !_saysPrompt))
            input += cache;
        if (_total > input + output)
            output = _total.Value - input;
        else if (_reasoning > output)
            output += _reasoning;
        return new TokenUsage(input, Math.Min(input, Math.Max(_cached, _cacheRead)), output);
    }

    /// <summary>Reads a field of the object.</summary>
    /// <param name="reader">At its name, and afterwards at the last token of its value.</param>
    /// <param name="isTop">Whether the object is the body itself, where Ollama's own API has its counts.</param>
    public void ReadField(ref Utf8JsonReader reader, bool isTop)
    {
        var field = isTop ? TopField(ref reader) : UsageField(ref reader);
        var saysPrompt = field == Field.Input && reader.ValueSpan.StartsWith("prompt"u8);
        reader.Read();
        if (field == Field.Details && reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                ReadField(ref reader, isTop: false);
        }
        else if (field is Field.None or Field.Details || Number(ref reader) is not { } number)
        {
            reader.Skip();
        }
        else
        {
            Take(field, number, saysPrompt);
        }
    }

    private void Take(Field field, double number, bool saysPrompt)
    {
        if (number > Most)
        {
            _isBeyondBelief |= field != Field.Total;
            return;
        }

        var tokens = (long)Math.Ceiling(number);
        switch (field)
        {
            case Field.Input:
                _input = Math.Max(_input ?? 0, tokens);
                _saysPrompt |= saysPrompt;
                break;
            case Field.Output:
                _output = Math.Max(_output ?? 0, tokens);
                break;
            case Field.Total:
                _total = Math.Max(_total ?? 0, tokens);
                break;
            case Field.Cached:
                _cached = Math.Max(_cached, tokens);
                break;
            case Field.CacheRead:
                _cacheRead = Math.Max(_cacheRead, tokens);
                break;
            case Field.CacheWritten:
                _cacheWritten = Math.Max(_cacheWritten, tokens);
                break;
            default:
                _reasoning = Math.Max(_reasoning, tokens);
                break;
        }
    }

    private static Field UsageField(ref Utf8JsonReader reader)
    {
        if (Is(ref reader, "prompt_tokens"u8, "input_tokens"u8) || Is(ref reader, "promptTokenCount"u8, "inputTokens"u8)
            || Is(ref reader, "promptTokens"u8, "inputTokenCount"u8) || reader.IsText("input_token_count"u8))
            return Field.Input;
        if (Is(ref reader, "completion_tokens"u8, "output_tokens"u8) || Is(ref reader, "candidatesTokenCount"u8, "outputTokens"u8)
            || Is(ref reader, "completionTokens"u8, "outputTokenCount"u8) || reader.IsText("generated_token_count"u8))
            return Field.Output;
        if (Is(ref reader, "total_tokens"u8, "totalTokenCount"u8) || reader.IsText("totalTokens"u8))
            return Field.Total;
        if (Is(ref reader, "prompt_tokens_details"u8, "completion_tokens_details"u8)
            || Is(ref reader, "input_tokens_details"u8, "output_tokens_details"u8)
            || Is(ref reader, "input_token_details"u8, "output_token_details"u8) || reader.IsText("billed_units"u8))
            return Field.Details;
        if (Is(ref reader, "cached_tokens"u8, "prompt_cache_hit_tokens"u8)
            || Is(ref reader, "num_cached_tokens"u8, "cachedContentTokenCount"u8))
            return Field.Cached;
        if (Is(ref reader, "cache_read_input_tokens"u8, "cacheReadInputTokens"u8))
            return Field.CacheRead;
        if (Is(ref reader, "cache_creation_input_tokens"u8, "cacheWriteInputTokens"u8))
            return Field.CacheWritten;
        return Is(ref reader, "reasoning_tokens"u8, "thoughtsTokenCount"u8) ? Field.Reasoning : Field.None;
    }

    private static Field TopField(ref Utf8JsonReader reader) =>
        Is(ref reader, "prompt_eval_count"u8, "tokens_evaluated"u8)
            ? Field.Input
            : Is(ref reader, "eval_count"u8, "tokens_predicted"u8)
            ? Field.Output
            : Field.None;

    private static bool Is(ref Utf8JsonReader reader, ReadOnlySpan<byte> one, ReadOnlySpan<byte> other) =>
        reader.IsText(one) || reader.IsText(other);

    // Also as text, with a fraction or an exponent. A negative number is none.
    private static double? Number(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String) || reader.ValueSpan.Length > 64)
            return null;
        return double.TryParse(reader.ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0
            ? number
            : null;
    }
}
