using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingACheckedFile
{
    [Fact]
    public async Task Rows_are_read_only_after_a_check_without_errors()
    {
        using var sample = new InputSample(BatchLine("a") + "\n{}");
        var file = InputFile.Open(sample.Path, Plain);
        await Assert.ThrowsAsync<InvalidOperationException>(() => ReadAsync(file));
        await file.CheckAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => ReadAsync(file));
    }

    [Fact]
    public async Task A_limit_stops_the_reading_and_not_the_check()
    {
        using var sample = new InputSample("a\nb\nc\nd\n");
        foreach (var limit in (int[])[0, 1, 3, 4, 9])
        {
            var file = InputFile.Open(sample.Path, new() { DefaultModel = "d", Limit = limit });
            Assert.Equal(4, (await file.CheckAsync()).Rows);
            Assert.Equal(Math.Min(limit, 4), await ReadAsync(file));
        }
    }

    [Fact]
    public async Task The_same_rows_can_be_read_again()
    {
        using var sample = new InputSample("a\nb\n");
        var file = InputFile.Open(sample.Path, Plain);
        await file.CheckAsync();
        Assert.Equal((2, 2), (await ReadAsync(file), await ReadAsync(file)));
    }

    [Fact]
    public async Task A_file_that_got_longer_is_refused_at_once()
    {
        using var sample = new InputSample("a\nb\n");
        var file = InputFile.Open(sample.Path, Plain);
        await file.CheckAsync();
        File.AppendAllText(sample.Path, "c\n");
        var e = await Assert.ThrowsAsync<InputException>(() => ReadAsync(file));
        Assert.Equal($"{sample.Path}: the file has changed since it was checked", e.Message);
    }

    [Fact]
    public async Task A_file_with_other_bytes_is_refused_at_the_end_though_length_and_time_are_the_same()
    {
        using var sample = new InputSample("a\nb\n");
        var file = InputFile.Open(sample.Path, Plain);
        await file.CheckAsync();
        var time = File.GetLastWriteTimeUtc(sample.Path);
        File.WriteAllText(sample.Path, "a\nc\n");
        File.SetLastWriteTimeUtc(sample.Path, time);
        await Assert.ThrowsAsync<InputException>(() => ReadAsync(file));
    }

    [Fact]
    public async Task A_file_that_was_touched_or_removed_or_broken_is_refused()
    {
        using var sample = new InputSample(BatchLine("a"));
        var file = InputFile.Open(sample.Path, Plain);
        await file.CheckAsync();
        var time = File.GetLastWriteTimeUtc(sample.Path);
        File.SetLastWriteTimeUtc(sample.Path, time.AddSeconds(1));
        await Assert.ThrowsAsync<InputException>(() => ReadAsync(file));

        File.WriteAllText(sample.Path, BatchLine("a").Replace("POST", "GETS"));
        File.SetLastWriteTimeUtc(sample.Path, time);
        Assert.Contains("the file has changed since it was checked (", (await Assert.ThrowsAsync<InputException>(() => ReadAsync(file))).Message);

        File.Delete(sample.Path);
        Assert.EndsWith("no such file", (await Assert.ThrowsAsync<InputException>(() => ReadAsync(file))).Message);
    }

    [Fact]
    public async Task Reading_can_be_given_up()
    {
        using var sample = new InputSample("a\nb\n");
        var file = InputFile.Open(sample.Path, Plain);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => file.CheckAsync(new CancellationToken(true)));
    }

    [Fact]
    public async Task A_file_as_windows_writes_it_gives_the_same_rows()
    {
        var lines = string.Join("\n", BatchLine("a"), "", BatchLine(null), BatchLine("c"), "");
        using var windows = new InputSample([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(lines.Replace("\n", "\r\n"))]);
        var rows = (await RowsOfAsync(lines)).Select(row => (row.Number, row.Line, row.CustomId, BodyOf(row)));
        Assert.Equal(rows, (await windows.RowsAsync()).Select(row => (row.Number, row.Line, row.CustomId, BodyOf(row))));
    }

    private static async Task<int> ReadAsync(InputFile file)
    {
        var rows = 0;
        await foreach (var _ in file.ReadAsync()) rows++;
        return rows;
    }
}
