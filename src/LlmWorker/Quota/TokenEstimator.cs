using System.Collections.Concurrent;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// What a request will probably cost against a tokens/min quota: its prompt as Microsoft.ML.Tokenizers counts it for the model, pictures by
/// OpenAI's rule, sounds by their duration, and the completion: what the provider holds until it has answered (max_tokens, where it is
/// given), and what is expected (the moving average of the queue).
/// </summary>
internal sealed class TokenEstimator
{
    private const double FirstAverage = TokenCounter.UsualCompletion;
    private const double Weight = 1.0 / 16;

    // By OpenAI's cookbook ("How to count tokens with tiktoken"): three a message beside its texts, and three that begin the answer.
    private const int TokensPerMessage = 3;
    private const int TokensOfPriming = 3;

    // What OpenAI's API assumes where max_tokens is left out, and Azure never corrects.
    private const int HeldWithoutLimit = 16;

    private readonly ConcurrentDictionary<string, double> _completions = new(StringComparer.Ordinal);

    /// <summary>The tokens of this body, at least 1.</summary>
    /// <param name="queue">The queue, whose completions are alike.</param>
    /// <param name="model">The model, whose tokenizer counts.</param>
    /// <param name="body">The request.</param>
    /// <param name="charge">What the provider charges.</param>
    /// <param name="path">Where it goes: an embedding has no completion. Null when that is not known.</param>
    public TokenEstimate Estimate(
        string queue, string model, ReadOnlySpan<byte> body, TokenCharge charge = TokenCharge.Used, string? path = null)
    {
        var read = Read(model, body);
        var prompt = (int)Math.Clamp(read.Prompt, 1, int.MaxValue);
        if (IsEmbedding(model, path))
            return new TokenEstimate(prompt, 0, 0);
        var average = _completions.GetValueOrDefault(queue, FirstAverage);
        var expected = read.Limit is { } limit ? Math.Min(limit, average) : average;
        var held = (double?)read.Limit ?? (charge == TokenCharge.Reserved ? HeldWithoutLimit : average);
        // What is never corrected is what there is to pace by.
        return new TokenEstimate(prompt, Tokens(held), charge == TokenCharge.Reserved ? Tokens(held) : Tokens(expected));

        int Tokens(double completion) => (int)Math.Min(int.MaxValue, Math.Round(completion * read.Choices));
    }

    /// <summary>Whether a request has no completion.</summary>
    public static bool IsEmbedding(string model, string? path) =>
        model.Contains("embed", StringComparison.OrdinalIgnoreCase) || path?.EndsWith("/embeddings", StringComparison.Ordinal) == true;

    /// <summary>A completion of this queue had so many tokens.</summary>
    public void Learn(string queue, long completionTokens) =>
        _completions.AddOrUpdate(
            queue,
            static (_, tokens) => tokens,
            static (_, average, tokens) => average + ((tokens - average) * Weight),
            completionTokens);

    /// <summary>Tokens of a request's prompt, the most of each completion (null where the request sets none), and its completions.</summary>
    internal static (long Prompt, long? Limit, long Choices) Read(string model, ReadOnlySpan<byte> body)
    {
        long prompt = 0;
        long? limit = null;
        long choices = 1;
        long prompts = 0;
        var picture = new PictureTokens();
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 256 });
        try
        {
            var (field, parent, name) = ("", "", "");
            while (reader.Read())
            {
                var isTop = reader.CurrentDepth == 1;
                // Each of several prompts of a completion, texts or token arrays, has an answer of its own.
                prompts
                    += reader.CurrentDepth == 2 && field == "prompt" && reader.TokenType is JsonTokenType.String or JsonTokenType.StartArray
                    ? 1
                    : 0;
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = reader.ValueIsEscaped || reader.ValueSpan.Length > 32 ? "" : reader.GetString()!;
                        field = isTop ? name : field;
                        prompt += isTop && name == "messages" ? TokensOfPriming : 0;
                        break;
                    case JsonTokenType.StartObject:
                        parent = name;
                        prompt += reader.CurrentDepth == 2 && field == "messages" ? TokensPerMessage : 0;
                        break;
                    case JsonTokenType.EndObject:
                        prompt += picture.End();
                        break;
                    case JsonTokenType.String when MediaTokens.TryCount(parent, name, ref reader, out var media):
                        prompt += media;
                        break;
                    case JsonTokenType.String when picture.Reads(name, ref reader):
                        break;
                    case JsonTokenType.String when !isTop || field is "input" or "prompt" or "instructions":
                        prompt += Text(model, ref reader);
                        break;
                    case JsonTokenType.Number when !isTop && field is "input" or "prompt":
                        prompt++; // a prompt that is tokens already
                        break;
                    case JsonTokenType.Number when isTop && reader.TryGetInt64(out var number):
                        limit = field is "max_tokens" or "max_completion_tokens" or "max_output_tokens" && number > 0 ? number : limit;
                        choices = field == "n" ? Math.Clamp(number, 1, 128) : choices;
                        break;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or half a surrogate: the provider will say what is wrong with it; here only its size matters.
            prompt = body.Length / 4;
        }
        return (prompt, limit, choices * Math.Max(1, prompts));
    }

    private static long Text(string model, ref Utf8JsonReader reader)
    {
        // Roles are among these: a token each, as they should be.
        var text = reader.ValueSpan.Length <= 1024 ? stackalloc char[reader.ValueSpan.Length] : new char[reader.ValueSpan.Length];
        try
        {
            return TokenCounter.Count(model, text[..reader.CopyString(text)]);
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair, which is no text for .NET; only this string is guessed.
            return (reader.ValueSpan.Length + 3) / 4;
        }
    }
}
