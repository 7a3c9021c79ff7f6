using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace LlmPipeline;

/// <summary>Counts tokens: as o200k_base does, or a token per four bytes.</summary>
internal sealed class TokenMeter
{
    // The tokenizer is quadratic on long runs of one character. Counted in slices, a text is off by at most a token a slice.
    private const int Slice = 1024;
    private const int BytesPerToken = 4;

    // Loading takes more than half a second and 40 MB, so it is done once a process, and only if somebody counts.
    private static readonly Lazy<Task<TokenMeter>> Loading =
        new(() => Task.Run(() => new TokenMeter(TiktokenTokenizer.CreateForEncoding("o200k_base"))));

    private static readonly Task<TokenMeter> Estimating = Task.FromResult(new TokenMeter(null));

    private readonly Tokenizer? _tokenizer;

    private TokenMeter(Tokenizer? tokenizer) => _tokenizer = tokenizer;

    /// <summary>The meter; loading starts with the first call.</summary>
    public static Task<TokenMeter> LoadAsync(bool exact) => exact ? Loading.Value : Estimating;

    /// <summary>Tokens of a UTF-8 text; invalid bytes count as replacement characters.</summary>
    public int Count(ReadOnlySpan<byte> utf8)
    {
        if (_tokenizer is null)
            return Estimate(utf8.Length);
        var chars = ArrayPool<char>.Shared.Rent(utf8.Length);
        try
        {
            return Count(chars.AsSpan(0, Encoding.UTF8.GetChars(utf8, chars)));
        }
        finally
        {
            ArrayPool<char>.Shared.Return(chars);
        }
    }

    /// <summary>The longest beginning of a text within so many tokens, and its tokens.</summary>
    public (string Text, int Tokens) Cut(string text, int maxTokens)
    {
        if (_tokenizer is null)
            // The texts that are cut are made here and are ASCII.
            return text.Length <= (long)maxTokens * BytesPerToken ? (text, Estimate(text.Length)) : (text[..(maxTokens * BytesPerToken)], maxTokens);
        var end = _tokenizer.GetIndexByTokenCount(text, maxTokens, out _, out var tokens);
        return (end == text.Length ? text : text[..end], tokens);
    }

    private static int Estimate(int bytes) => (bytes + BytesPerToken - 1) / BytesPerToken;

    private int Count(ReadOnlySpan<char> text)
    {
        var tokens = 0;
        while (text.Length > Slice)
        {
            var end = char.IsHighSurrogate(text[Slice - 1]) ? Slice - 1 : Slice;
            tokens += _tokenizer!.CountTokens(text[..end]);
            text = text[end..];
        }
        return tokens + _tokenizer!.CountTokens(text);
    }
}
