using System.IO.Compression;
using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingPackedFiles
{
    private static readonly string Text = string.Concat(Enumerable.Range(1, 3000).Select(n => $"prompt {n} {Convert.ToHexString(BitConverter.GetBytes(n * 2654435761))}\n"));

    [Theory]
    [InlineData("gz")]
    [InlineData("zst")]
    public async Task A_packed_file_is_read_and_is_the_same_batch_as_the_plain_one(string kind)
    {
        using var packed = new InputSample(Pack(kind, Text));
        using var plain = new InputSample(Text);
        Assert.Equal((await plain.RowsAsync()).Select(BodyOf), (await packed.RowsAsync()).Select(BodyOf));
        Assert.Equal((await plain.CheckAsync()).ContentHash, (await packed.CheckAsync()).ContentHash);
    }

    [Theory]
    [InlineData("gz")]
    [InlineData("zst")]
    public async Task Several_members_are_one_file(string kind)
    {
        using var sample = new InputSample([.. Pack(kind, "one\ntw"), .. Pack(kind, "o\n")]);
        Assert.Equal(2, (await sample.RowsAsync()).Count);
    }

    [Theory]
    [InlineData("gz")]
    [InlineData("zst")]
    public async Task A_file_that_is_cut_off_anywhere_is_an_error(string kind)
    {
        var whole = Pack(kind, Text);
        foreach (var length in (int[])[5, 12, whole.Length / 2, whole.Length - 9, whole.Length - 8, whole.Length - 5, whole.Length - 1])
        {
            using var sample = new InputSample(whole[..length]);
            var e = await Assert.ThrowsAsync<InputException>(() => sample.CheckAsync());
            Assert.StartsWith($"{sample.Path}: cut off", e.Message);
        }
    }

    [Fact]
    public async Task A_damaged_file_is_an_error()
    {
        var bytes = Pack("gz", Text);
        bytes[^6] ^= 0xFF;
        using var sample = new InputSample(bytes);
        Assert.Contains(": damaged: ", (await Assert.ThrowsAsync<InputException>(() => sample.CheckAsync())).Message);
    }

    [Theory]
    [InlineData(new byte[] { (byte)'P', (byte)'K', 3, 4, 20, 0 }, "Excel")]
    [InlineData(new byte[] { (byte)'P', (byte)'A', (byte)'R', (byte)'1', 0x15, 4 }, "Parquet")]
    [InlineData(new byte[] { (byte)'%', (byte)'P', (byte)'D', (byte)'F', (byte)'-', (byte)'1' }, "PDF")]
    public void A_file_that_is_no_text_is_named(byte[] bytes, string what)
    {
        using var sample = new InputSample(bytes);
        Assert.Contains(what, Assert.Throws<InputException>(() => InputFile.Open(sample.Path, Plain)).Message);
    }

    [Fact]
    public async Task Packed_text_in_utf16_is_read()
    {
        using var sample = new InputSample(Pack("gz", [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("id,q\r\n1,é\r\n")]));
        Assert.Equal("é", Assert.Single(await sample.RowsAsync(Prompt("q"))).Variables!["q"]);
    }

    private static byte[] Pack(string kind, string text) => Pack(kind, Encoding.UTF8.GetBytes(text));

    private static byte[] Pack(string kind, byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (Stream stream = kind == "gz" ? new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true) : new ZstdSharp.CompressionStream(packed, leaveOpen: true))
            stream.Write(bytes);
        return packed.ToArray();
    }
}
