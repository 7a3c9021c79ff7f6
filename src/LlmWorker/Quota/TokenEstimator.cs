using System.Collections.Concurrent;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// What a request will probably cost against a tokens/min quota: the tokens of all text in its body, and the completion, which is
/// <c>max_tokens</c> where that is small and otherwise the moving average of the model.
/// </summary>
internal sealed class TokenEstimator
{
    // A larger limit is a safety net and says nothing about the length of the answer.
    private const long TellingLimit = 1024;
    private const double FirstAverage = 256;

    // What OpenAI's formulas give for an ordinary picture; its base64 text is not what is counted.
    private const int Picture = 1000;

    private readonly ConcurrentDictionary<string, double> _completions = new(StringComparer.Ordinal);

    /// <summary>The tokens to reserve for this body; at least 1.</summary>
    public int Estimate(string model, ReadOnlySpan<byte> body)
    {
        long prompt = 0;
        long? limit = null;
        long choices = 1;
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 256 });
        try
        {
            var field = "";
            while (reader.Read())
            {
                var isTop = reader.CurrentDepth == 1;
                if (reader.TokenType == JsonTokenType.PropertyName && isTop)
                    field = reader.ValueIsEscaped || reader.ValueSpan.Length > 32 ? "" : reader.GetString();
                else if (reader.TokenType == JsonTokenType.String && (!isTop || field is "input" or "prompt" or "instructions"))
                    prompt += Text(model, ref reader);
                else if (reader.TokenType == JsonTokenType.Number && !isTop && field is "input" or "prompt")
                    prompt++; // a prompt that is tokens already
                else if (reader.TokenType == JsonTokenType.Number && isTop && reader.TryGetInt64(out var number))
                    (limit, choices) = field switch
                    {
                        "max_tokens" or "max_completion_tokens" or "max_output_tokens" => (number, choices),
                        "n" => (limit, Math.Clamp(number, 1, 128)),
                        _ => (limit, choices),
                    };
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or half a surrogate: the provider will say what is wrong with it; here only its size matters.
            prompt = body.Length / 4;
        }
        var completes = !model.Contains("embed", StringComparison.OrdinalIgnoreCase);
        var completion = !completes ? 0 : limit is > 0 and <= TellingLimit ? limit.Value : (long)_completions.GetValueOrDefault(model, FirstAverage);
        return (int)Math.Clamp(prompt + (completion * choices), 1, int.MaxValue);
    }

    /// <summary>A completion of this model had so many tokens.</summary>
    public void Learn(string model, long completionTokens) =>
        _completions.AddOrUpdate(
            model,
            static (_, tokens) => FirstAverage + ((tokens - FirstAverage) / 8),
            static (_, average, tokens) => average + ((tokens - average) / 8),
            completionTokens);

    private static long Text(string model, ref Utf8JsonReader reader)
    {
        if (reader.ValueSpan.StartsWith("data:"u8))
            return Picture;
        // Roles and types are among these; they stand for the few tokens that each message costs beside its text.
        var text = reader.ValueSpan.Length <= 1024 ? stackalloc char[reader.ValueSpan.Length] : new char[reader.ValueSpan.Length];
        return TokenCounter.Count(model, text[..reader.CopyString(text)]);
    }
}
