using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

/// <summary><see cref="LenientJson"/>: what a tolerant reader takes for JSON becomes JSON for every reader.</summary>
public sealed class RepairingJson
{
    [Fact]
    public void An_answer_keeps_its_meaning_and_decodable_JSON_is_not_copied()
    {
        var body = """{"a":"\ud83d\ude00 \ud83d x","b":NaN,"c":"\u00e9\n"}"""u8.ToArray();
        Assert.Equal(
            """{"a":"\ud83d\ude00 \ufffd x","b":null,"c":"\u00e9\n"}""", Text(LenientJson.ToDecodable(body, out var isLenient)));
        Assert.True(isLenient);
        ReadOnlyMemory<byte> strict = """ {"a" : "\ud83d\ude00 é 🚀","b":-1.0E+400} """u8.ToArray();
        Assert.Equal(strict, LenientJson.ToDecodable(strict, out isLenient));
        Assert.False(isLenient);
    }

    [Fact]
    public void A_piece_of_a_stream_keeps_halves_and_a_file_keeps_the_escapes_of_halves()
    {
        byte[] body = [.. "{\"a\":\"\\ud83d "u8, 0xF0, .. "\",\"b\":NaN}"u8];
        Assert.Equal([.. "{\"a\":\"\\ud83d "u8, 0xF0, .. "\",\"b\":null}"u8], LenientJson.ToPiece(body)!.Value.ToArray());
        Assert.Equal("{\"a\":\"\\ud83d \uFFFD\",\"b\":null}", Text(LenientJson.Repair(body)));
        Assert.Equal("{\"a\":\"\\ufffd \uFFFD\",\"b\":null}", Text(LenientJson.ToDecodable(body, out _)));
    }

    [Theory]
    [InlineData("{\"a\":\"one\ntwo\"}", "{\"a\":\"one\\u000atwo\"}")]
    [InlineData("""{"a":"C:\xyz"}""", """{"a":"C:\\xyz"}""")]
    [InlineData("""{"a":1,/* odd */"b":[True,None,],}""", """{"a":1,"b":[true,null]}""")]
    [InlineData("""{"a":1} </s>""", """{"a":1}""")]
    public void Broken_syntax_is_repaired_in_an_answer_and_in_a_piece_and_is_a_string_in_a_file(string body, string repaired)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.Equal(repaired, Text(LenientJson.ToDecodable(bytes, out _)));
        Assert.Equal(repaired, Text(LenientJson.ToPiece(bytes)));
        Assert.Null(LenientJson.Repair(bytes));
        Assert.Equal(body, JsonSerializer.Deserialize<string>(LenientJson.AsJson(bytes).Span));
    }

    [Fact]
    public void Whatever_the_bytes_are_the_ways_of_repair_agree()
    {
        var random = new Random(7);
        var sound = """{"a":[{"b":"a\ud83d\ude00\"é","c":NaN}],"d":null,"e":-1.5E+3,"f":"\\\u00e9 \n"}"""u8.ToArray();
        var repaired = 0;
        for (var n = 0; n < 20_000; n++)
        {
            var body = sound.ToArray();
            for (var times = random.Next(1, 6); times > 0; times--)
                body[random.Next(body.Length)] = (byte)random.Next(256);
            if (n % 4 == 0)
                body = body[..random.Next(body.Length + 1)];
            Assert.True(LenientJson.IsStrict(LenientJson.AsJson(body).Span), Encoding.Latin1.GetString(body));
            var decodable = LenientJson.ToDecodable(body, out _);
            if (decodable is { } json)
                Assert.True(LenientJson.IsDecodable(json.Span), Encoding.Latin1.GetString(body));
            if (LenientJson.Repair(body) is not { } forFile)
                continue;
            repaired++;
            Assert.Equal(Text(LenientJson.WithoutHalves(forFile.Span)), Text(decodable));
        }

        Assert.True(repaired > 500, $"{repaired}");
    }

    [Theory]
    [InlineData(
        """{"a":"\ud83d","b":"\ud83d\ude00","c":"\udc00\ud83d\uDE00","d":"\\\\ud83d"}""",
        """{"a":"\ufffd","b":"\ud83d\ude00","c":"\ufffd\ud83d\uDE00","d":"\\\\ud83d"}""")]
    [InlineData("""{"\udbff":"\ud83d\ud83d\ude00","e":"\ud83d\\u"}""", """{"\ufffd":"\ufffd\ud83d\ude00","e":"\ufffd\\u"}""")]
    [InlineData("""["\n","\u0041"]""", """["\n","\u0041"]""")]
    public void Halves_of_surrogate_pairs_can_be_made_text(string json, string decodable)
    {
        Assert.Equal(decodable, Text(LenientJson.WithoutHalves(Encoding.UTF8.GetBytes(json))));
        using JsonDocument _ = JsonDocument.Parse(decodable);
    }

    private static string Text(ReadOnlyMemory<byte>? json) => Encoding.UTF8.GetString(json!.Value.Span);
}
