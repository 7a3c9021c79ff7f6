using System.Buffers;
using System.Collections.Concurrent;
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

    // Most words come again and again. What is longer or comes later is counted each time, so that memory stays bounded.
    private const int LongestKept = 32;
    private const int MostKept = 20_000;

    private readonly Tokenizer? _tokenizer;
    private readonly ConcurrentDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _words =
        new ConcurrentDictionary<string, int>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();

    private int _kept;

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
        var whole = CountByWords(text);
        if (whole <= maxTokens)
            return (text, whole);
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
            tokens += CountByWords(text[..end]);
            text = text[end..];
        }
        return tokens + CountByWords(text);
    }

    // Exact: o200k_base splits a text by a regular expression before it makes tokens, and none of its parts goes over from what is no white space to a
    // space. It looks ahead only in white space, and never back.
    private int CountByWords(ReadOnlySpan<char> text)
    {
        var tokens = 0;
        while (!text.IsEmpty)
        {
            var end = 1;
            while (end < text.Length && (text[end] != ' ' || char.IsWhiteSpace(text[end - 1])))
                end++;
            tokens += CountWord(text[..end]);
            text = text[end..];
        }
        return tokens;
    }

    private int CountWord(ReadOnlySpan<char> word)
    {
        if (word.Length > LongestKept)
            return _tokenizer!.CountTokens(word);
        if (_words.TryGetValue(word, out var known))
            return known;
        var tokens = _tokenizer!.CountTokens(word);
        if (Volatile.Read(ref _kept) < MostKept && _words.TryAdd(word, tokens))
            Interlocked.Increment(ref _kept);
        return tokens;
    }
}
