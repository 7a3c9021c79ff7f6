using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmPipeline.Tests;

/// <summary><see cref="SafeText"/>, over all of Unicode: every scalar value, and halves of surrogate pairs.</summary>
public sealed class SanitizingText
{
    /// <summary>
    /// All code points in order, also those of surrogates, as texts of some length, each with a letter around every character.
    /// </summary>
    internal static IEnumerable<string> AllOfUnicode()
    {
        var text = new StringBuilder();
        for (var point = 0; point <= 0x10FFFF; point++)
        {
            text.Append('a').Append(
                char.IsSurrogate((char)point) && point <= char.MaxValue ? ((char)point).ToString() : char.ConvertFromUtf32(point));
            if (text.Length < 500 && point < 0x10FFFF)
                continue;
            yield return text.ToString();
            text.Clear();
        }
    }

    private static bool IsHarmless(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is not (
            UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate)
        && rune.Value is not (0x61C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069) or 0xFEFF);

    private static void AssertValidAndHarmless(string text, bool lineFeeds = false)
    {
        _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(text);
        Assert.All(
            text.EnumerateRunes().Where(rune => !lineFeeds || rune.Value != '\n'),
            rune => Assert.True(IsHarmless(rune), $"U+{rune.Value:X4}"));
    }

    [Fact]
    public void A_line_holds_nothing_that_ends_it_moves_a_cursor_or_reorders_it_and_is_never_too_long()
    {
        foreach (var text in AllOfUnicode())
        {
            AssertValidAndHarmless(SafeText.Line(text, int.MaxValue));
            foreach (var length in (int[])[1, 2, 3, 64, 65, 300])
            {
                var line = SafeText.Line(text, length);
                AssertValidAndHarmless(line);
                Assert.InRange(line.Length, 1, length);
            }
        }
    }

    [Fact]
    public void Text_for_a_terminal_keeps_its_length_and_its_line_feeds_where_they_are_meant()
    {
        foreach (var text in AllOfUnicode())
        {
            AssertValidAndHarmless(SafeText.Printable(text));
            AssertValidAndHarmless(SafeText.Printable(text, keepLineFeeds: true), lineFeeds: true);
            Assert.Equal(text.EnumerateRunes().Count(), SafeText.Printable(text).EnumerateRunes().Count());
        }

        Assert.Equal("  a  b", SafeText.Printable("  a  b"));
        Assert.Equal(("a b", "a\nb"), (SafeText.Printable("a\nb"), SafeText.Printable("a\nb", keepLineFeeds: true)));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("  two\r\n  lines\t\u2028here\u0085 ", "two lines here")]
    [InlineData("\u001b[31mred\u0007", "\uFFFD[31mred\uFFFD")]
    [InlineData("file\u202Egpj.exe", "file\uFFFDgpj.exe")]
    [InlineData("עברית 中文 👩‍👩‍👧 é", "עברית 中文 👩‍👩‍👧 é")]
    public void A_line_reads_as_the_text_does(string text, string line) => Assert.Equal(line, SafeText.Line(text, 100));

    [Fact]
    public void A_line_is_cut_between_characters() =>
        Assert.Equal(("abc…", "abc…", "abc🎈"), (SafeText.Line("abc🎈d", 4), SafeText.Line("abc🎈d", 5), SafeText.Line("abc🎈", 5)));

    [Fact]
    public void An_error_code_is_short_and_of_few_characters()
    {
        foreach (var text in AllOfUnicode())
            Assert.Matches("^[A-Za-z0-9_.:-]{1,64}$", SafeText.ErrorCode(text));
    }

    [Theory]
    [InlineData("context_length_exceeded", "context_length_exceeded")]
    [InlineData("invalid_request:model.not-found", "invalid_request:model.not-found")]
    [InlineData("Invalid API  key!\n", "Invalid_API_key")]
    [InlineData("错误", "unknown")]
    [InlineData("", "unknown")]
    [InlineData(null, "unknown")]
    public void An_error_code_reads_as_the_providers_does(string? text, string code) => Assert.Equal(code, SafeText.ErrorCode(text));

    [Fact]
    public async Task A_header_of_any_text_is_sent_by_Kestrel_and_read_by_HttpClient()
    {
        var values = AllOfUnicode().Select(SafeText.HeaderValue).Distinct().ToList();
        Assert.All(values, value => Assert.InRange(value!.Length, 1, SafeText.MaxHeaderValue));
        await using var server = await ServeAsync(values!);
        using var http = new HttpClient();

        for (var first = 0; first < values.Count; first += 20)
        {
            using var answer = await http.GetAsync(new Uri($"{server.Urls.Single()}/?first={first}"));

            Assert.Equal(
                values.Skip(first).Take(20),
                Enumerable.Range(0, Math.Min(20, values.Count - first)).Select(n => answer.Headers.GetValues($"x-{n}").Single()));
        }
    }

    [Theory]
    [InlineData("req_0123-abc", "req_0123-abc")]
    [InlineData(" a\r\nSet-Cookie: x=1 ", "a??Set-Cookie: x=1")]
    [InlineData("é", "?")]
    [InlineData("  ", null)]
    [InlineData(null, null)]
    public void A_header_is_visible_ascii(string? text, string? value) => Assert.Equal(value, SafeText.HeaderValue(text));

    private static async Task<WebApplication> ServeAsync(List<string> values)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        server.Run(context =>
        {
            var first = int.Parse(context.Request.Query["first"]!, CultureInfo.InvariantCulture);
            for (var n = 0; n < 20 && first + n < values.Count; n++)
                context.Response.Headers[$"x-{n}"] = values[first + n];
            return Task.CompletedTask;
        });
        await server.StartAsync();
        return server;
    }
}
