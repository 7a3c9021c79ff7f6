using Microsoft.ML.Tokenizers;

namespace LlmPipeline;

/// <summary>
/// Counts tokens as OpenAI's tokenizers do. A tokenizer takes more than half a second to load, so it is loaded in the background when it is
/// first wanted; until then the count is a quarter of the UTF-8 bytes.
/// </summary>
public static class TokenCounter
{
    /// <summary>Tokens of a completion of which nothing is known: of a queue's first calls, and of rows that are not called yet.</summary>
    public const int UsualCompletion = 256;

    private static readonly TokenEstimator Unlearned = new();

    // The tokenizer is quadratic on long runs of one character; in slices it is not, and counts about 0.3 % too much.
    private const int Slice = 1024;

    private static readonly Lazy<Task<Tokenizer>> O200k = new(() => Task.Run<Tokenizer>(() => TiktokenTokenizer.CreateForEncoding("o200k_base")));
    private static readonly Lazy<Task<Tokenizer>> Cl100k = new(() => Task.Run<Tokenizer>(() => TiktokenTokenizer.CreateForEncoding("cl100k_base")));

    /// <summary>Waits until the tokenizer of this model is loaded.</summary>
    public static Task LoadAsync(string model) => For(model);

    /// <summary>About how many tokens the text is for this model; models that OpenAI does not make are counted like its newest.</summary>
    public static int Count(string model, ReadOnlySpan<char> text)
    {
        var loading = For(model);
        if (!loading.IsCompletedSuccessfully)
            return (System.Text.Encoding.UTF8.GetByteCount(text) + 3) / 4;
        var tokenizer = loading.GetAwaiter().GetResult();
        var count = 0;
        while (text.Length > Slice)
        {
            var cut = char.IsHighSurrogate(text[Slice - 1]) ? Slice - 1 : Slice;
            count += tokenizer.CountTokens(text[..cut]);
            text = text[cut..];
        }
        return count + tokenizer.CountTokens(text);
    }

    /// <summary>
    /// What a request will probably use, as a quota reserves it before anything was answered: texts, token arrays and pictures; for each of
    /// its <c>n</c> completions <see cref="UsualCompletion"/>, or its own limit where that is less.
    /// </summary>
    /// <param name="model">What the provider calls the model.</param>
    /// <param name="path">Where it goes, such as <c>/v1/embeddings</c>; null when that is not known.</param>
    /// <param name="body">The request.</param>
    public static TokenUsage Expect(string model, string? path, ReadOnlySpan<byte> body)
    {
        var estimate = Unlearned.Estimate("", model, body, path: path);
        return new TokenUsage(estimate.Prompt, 0, estimate.Expected);
    }

    /// <summary>The same for completions of other lengths.</summary>
    /// <param name="model">What the provider calls the model.</param>
    /// <param name="path">Where it goes; null when that is not known.</param>
    /// <param name="body">The request.</param>
    /// <returns>Its prompt; the most tokens of each completion, null where the request sets none; how many completions it has.</returns>
    internal static (long Prompt, long? Limit, long Completions) Measure(string model, string? path, ReadOnlySpan<byte> body)
    {
        var (prompt, limit, choices) = TokenEstimator.Read(model, body);
        return (Math.Clamp(prompt, 1, int.MaxValue), limit, TokenEstimator.IsEmbedding(model, path) ? 0 : choices);
    }

    private static Task<Tokenizer> For(string model) =>
        (model.StartsWith("gpt-3.5", StringComparison.Ordinal) || model.StartsWith("text-embedding-", StringComparison.Ordinal)
            || model == "gpt-4" || model.StartsWith("gpt-4-", StringComparison.Ordinal) ? Cl100k : O200k).Value;
}
