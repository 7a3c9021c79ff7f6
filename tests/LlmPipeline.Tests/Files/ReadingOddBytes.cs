using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingOddBytes
{
    [Fact]
    public async Task A_latin1_file_is_refused_with_line_and_byte()
    {
        using var text = new InputSample(Encoding.Latin1.GetBytes("one\ncafé\nthé\n"));
        Assert.Equal(["F:2: not UTF-8 at byte 4 of the line", "F:3: not UTF-8 at byte 3 of the line"], await text.ErrorsAsync());
        using var json = new InputSample(Encoding.Latin1.GetBytes("""{"q":"é"}"""));
        Assert.Equal("F:1: not UTF-8 at byte 7 of the line", await json.ErrorAsync(Prompt("q")));
    }

    [Theory]
    [InlineData(new byte[] { 0xC0, 0xAF })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0xF5, 0x80, 0x80, 0x80 })]
    [InlineData(new byte[] { 0xE2, 0x82 })]
    [InlineData(new byte[] { 0x80 })]
    public async Task Bytes_that_only_look_like_utf8_are_refused(byte[] bytes)
    {
        using var sample = new InputSample([.. "ok é\nx "u8, .. bytes, (byte)'\n']);
        Assert.Equal("F:2: not UTF-8 at byte 3 of the line", await sample.ErrorAsync());
    }

    [Theory]
    [InlineData("utf-16")]
    [InlineData("utf-16BE")]
    [InlineData("utf-32")]
    public async Task Text_in_utf16_and_utf32_is_read(string encoding)
    {
        var to = Encoding.GetEncoding(encoding);
        foreach (var mark in (byte[][])[to.GetPreamble(), []])
        {
            if (mark.Length == 0 && encoding == "utf-32") continue;
            using var sample = new InputSample([.. mark, .. to.GetBytes("id,text\r\n1,Café 🐀\r\n2,x\r\n")]);
            var rows = await sample.RowsAsync(Prompt("text"));
            Assert.Equal([("1", "Café 🐀", 2), ("2", "x", 3)], rows.Select(row => (row.CustomId, row.Variables!["text"], row.Line)));
        }
    }

    [Fact]
    public async Task Bytes_that_are_no_text_in_the_encoding_are_named_with_their_line()
    {
        var to = Encoding.Unicode;
        using var sample = new InputSample([.. to.GetPreamble(), .. to.GetBytes("one\ntwo "), 0x00, 0xD8, .. to.GetBytes("x\n")]);
        Assert.Equal("F:2: not utf-16 at character 5 of the line", await sample.ErrorAsync());
    }

    [Theory]
    [InlineData("windows-1252", "Café – “x” €")]
    [InlineData("iso-8859-1", "Café")]
    [InlineData("shift_jis", "テキスト")]
    [InlineData("gb18030", "文本🐀")]
    public async Task A_named_encoding_is_read(string name, string text)
    {
        var encoding = InputContent.EncodingNamed(name);
        using var sample = new InputSample(encoding.GetBytes($"id,text\n1,{text}\n"));
        var row = Assert.Single(await sample.RowsAsync(Prompt("text") with { Encoding = encoding }));
        Assert.Equal(text, row.Variables!["text"]);
    }

    [Fact]
    public async Task Blank_lines_are_no_rows_but_count_as_lines()
    {
        using var sample = new InputSample("\r\n" + BatchLine("a") + "\r\n \t\r\n\u3000\u00A0\n\n" + BatchLine(null) + "\r\n\r\n");
        Assert.Equal([(1, 2, "a"), (2, 6, "line-6")], (await sample.RowsAsync()).Select(row => (row.Number, row.Line, row.CustomId)));
        Assert.Equal(5, (await sample.CheckAsync()).BlankLines);
    }

    [Fact]
    public async Task A_file_of_blank_lines_is_empty()
    {
        foreach (var bytes in (byte[][])["\n \r\n\t"u8.ToArray(), [0xEF, 0xBB, 0xBF], "\n"u8.ToArray()])
        {
            using var sample = new InputSample(bytes);
            var e = await Assert.ThrowsAsync<InputException>(() => sample.CheckAsync());
            Assert.Equal($"{sample.Path}: empty, it has only blank lines", e.Message);
            await Assert.ThrowsAsync<InputException>(() => sample.CheckAsync(Prompt("q")));
        }
    }

    [Fact]
    public async Task A_line_may_be_as_long_as_the_maximum_and_no_longer()
    {
        var options = new InputOptions { DefaultModel = "d", MaxRowBytes = 400_000 };
        string Line(string id, int length) => BatchLine(id).Replace("hi", new string('x', length - BatchLine(id).Length + 2));
        using var sample = new InputSample([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(Line("a", 400_000) + "\r\n" + Line("b", 400_000) + "\n" + Line("c", 400_000))]);
        Assert.Equal(["a", "b", "c"], (await sample.RowsAsync(options)).Select(row => row.CustomId));

        using var longer = new InputSample(Line("a", 400_001) + "\n" + Line("b", 400_000) + "\n" + Line("c", 400_001));
        Assert.Equal("F:1: longer than 400000 bytes", await longer.ErrorAsync(options));
        using var later = new InputSample(Line("b", 300_000) + "\n" + Line("a", 400_001) + "\n" + Line("c", 400_000) + "\n" + Line("d", 400_001));
        Assert.Equal(["F:2: longer than 400000 bytes", "F:4: longer than 400000 bytes"], await later.ErrorsAsync(options));
    }

    [Fact]
    public async Task Lines_are_cut_right_wherever_a_block_ends()
    {
        // 256 KiB blocks; lines whose ends, CR and LF, fall on every place around the border.
        for (var shift = -4; shift <= 4; shift++)
        {
            var first = new string('é', ((256 * 1024) + shift) / 2);
            var pad = shift % 2 == 0 ? "" : "x";
            var rows = await RowsOfAsync($"{first}{pad}\r\nsecond\r\nthird");
            Assert.Equal(3, rows.Count);
            Assert.EndsWith("\"content\":\"second\"}]}", BodyOf(rows[1]));
            Assert.Contains($"\"{first}{pad}\"", BodyOf(rows[0]));
        }
    }

    [Fact]
    public async Task Any_bytes_are_rows_or_errors_and_never_a_crash()
    {
        var random = new Random(17);
        string[] seeds = [BatchLine("a"), """{"model":"m","messages":[{"role":"user","content":"x\ud83d\ude00"}],"stream":false}""", """{"id":7,"q":"é","x":{"y":[1]}}""", "q,id\n\"a\"\"b\",2\nc,3", "plain text"];
        var unlike = """{}[]":,\/ud800 rolemsgtn1e9.-""" + "\n\r\t\0\uFEFF";
        foreach (var options in (InputOptions[])[Plain, Prompt(), Prompt("q")])
        {
            for (var n = 0; n < 150; n++)
            {
                var seed = Encoding.UTF8.GetBytes(seeds[n % seeds.Length]);
                var text = new List<byte>(n % 2 == 0 ? [] : [.. seed, (byte)'\n']);
                for (var line = 0; line < 20; line++)
                {
                    var bytes = seed.ToList();
                    for (var edits = random.Next(4); edits >= 0; edits--)
                    {
                        var at = random.Next(bytes.Count);
                        if (random.Next(3) == 0) bytes.RemoveAt(at);
                        else bytes.Insert(at, random.Next(8) == 0 ? (byte)random.Next(256) : (byte)unlike[random.Next(unlike.Length)]);
                    }

                    text.AddRange([.. bytes, (byte)'\n']);
                }

                using var sample = new InputSample([.. text]);
                var file = InputFile.Open(sample.Path, options);
                var summary = await file.CheckAsync();
                Assert.True(summary.Rows + summary.ErrorCount > 0);
                if (summary.ErrorCount > 0) continue;
                var rows = 0;
                await foreach (var row in file.ReadAsync()) rows++;
                Assert.Equal(summary.Rows, rows);
            }
        }
    }
}
