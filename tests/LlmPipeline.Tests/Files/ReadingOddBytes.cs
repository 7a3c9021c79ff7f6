using System.Text;
using static LlmPipeline.Tests.Files.InputSample;

namespace LlmPipeline.Tests.Files;

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
    public async Task A_utf16_file_is_named_as_such(string encoding)
    {
        var to = Encoding.GetEncoding(encoding);
        using var sample = new InputSample([.. to.GetPreamble(), .. to.GetBytes(BatchLine("a"))]);
        Assert.Equal("F:1: UTF-16 text; save the file as UTF-8", await sample.ErrorAsync());
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
}
