using System.Text;
using CsCheck;
using Microsoft.ML.Tokenizers;

namespace LlmPipeline;

public sealed class CountingTokens
{
    private static readonly TiktokenTokenizer Exact = TiktokenTokenizer.CreateForEncoding("o200k_base");

    private static readonly string[] Pieces =
    [
        " ", " ", " ", "  ", "\n", "\r\n", "\t", " \n ", "\u00A0", "\u3000", "the", "Answer", "isn't", "I'LL", "x86", "12345", ".", "...", "[", " [", "{\"a\":", "//", "/\n", "é", "e\u0301", "日本", "😀", "_", "ABCdef", "'s",
    ];

    private static readonly Gen<string> Piece = Gen.Int[0, Pieces.Length - 1].Select(n => Pieces[n]);

    [Fact]
    public async Task Word_by_word_a_text_has_as_many_tokens_as_at_once()
    {
        var meter = await TokenMeter.LoadAsync(exact: true);

        Piece.Array[0, 120].Select(string.Concat).Where(text => text.Length <= 1000).Sample(
            text => Assert.Equal(Exact.CountTokens(text), meter.Count(Encoding.UTF8.GetBytes(text))), iter: 3_000, threads: 1);
    }

    [Fact]
    public async Task A_text_is_cut_where_the_tokenizer_cuts_it()
    {
        var meter = await TokenMeter.LoadAsync(exact: true);

        Gen.Select(Piece.Array[1, 120].Select(string.Concat), Gen.Int[1, 200]).Sample(
            (text, most) =>
            {
                var end = Exact.GetIndexByTokenCount(text, most, out _, out var tokens);
                Assert.Equal((text[..end], tokens), meter.Cut(text, most));
            },
            iter: 1_000,
            threads: 1);
    }
}
