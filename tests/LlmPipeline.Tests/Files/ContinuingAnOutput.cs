using static LlmPipeline.Tests.OutputFolder;

namespace LlmPipeline.Tests;

public sealed class ContinuingAnOutput : IDisposable
{
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string[] States(OutputFile output, int rows) => [.. Enumerable.Range(1, rows).Select(row => output.StateOf(row).ToString())];

    [Fact]
    public async Task Flushed_lines_are_found_again()
    {
        await using (OutputFile output = await _folder.OpenAsync())
        {
            output.Append(Completion(3));
            output.Append(Failure(1));
            await output.FlushAsync(CancellationToken.None);
            Assert.Equal(Text(Completion(3)) + Text(Failure(1)), _folder.Read("out.jsonl.partial"));
        }

        await using OutputFile next = await _folder.OpenAsync();
        Assert.Equal(["Failed", "Missing", "Completed", "Missing"], States(next, 4));
        Assert.Equal((1, 1, 0), (next.Completed, next.Failed, next.Dropped));
        Assert.True(next.IsDone(1));
    }

    [Fact]
    public async Task Closing_flushes_what_was_appended()
    {
        await using (OutputFile output = await _folder.OpenAsync())
            output.Append(Completion(1));

        Assert.Equal(Text(Completion(1)), _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task Results_errors_and_checkpoint_together_are_the_checkpoint()
    {
        _folder.Write("out.jsonl", Lines(row => Completion(row, "result"), 1, 2));
        _folder.Write("out.errors.jsonl", Lines(row => Failure(row, "error"), 3, 4, 2));
        _folder.Write("out.jsonl.partial", Text(Completion(4, "partial")), Text(Failure(1, "partial")), Text(Failure(5, "partial")), Text(Completion(2, "newest")));

        await using (OutputFile output = await _folder.OpenAsync())
        {
            Assert.Equal(["Completed", "Completed", "Failed", "Completed", "Failed"], States(output, 5));
            await output.FinishAsync(5, CancellationToken.None);
        }

        Assert.Equal(Text(Completion(1, "result")) + Text(Completion(2, "newest")) + Text(Completion(4, "partial")), _folder.Read("out.jsonl"));
        Assert.Equal(Text(Failure(3, "error")) + Text(Failure(5, "partial")), _folder.Read("out.errors.jsonl"));
    }

    [Fact]
    public async Task An_error_never_replaces_a_completion_and_the_newest_error_stands()
    {
        await _folder.RunAsync(2, [Completion(1), Failure(1), Failure(2, "first"), Failure(2, "second")]);

        Assert.Equal(Text(Completion(1)), _folder.Read("out.jsonl"));
        Assert.Equal(Text(Failure(2, "second")), _folder.Read("out.errors.jsonl"));
    }

    [Fact]
    public async Task Failed_rows_count_as_missing_when_they_are_to_be_retried()
    {
        await _folder.RunAsync(3, [Completion(1), Failure(2), Failure(3)]);

        await using OutputFile output = await _folder.OpenAsync(new OutputOptions { RetryFailed = true });
        Assert.Equal(["Completed", "Missing", "Missing"], States(output, 3));
        Assert.Equal((1, 0), (output.Completed, output.Failed));

        output.Append(Completion(2));
        output.Append(Failure(3, "still"));
        Assert.Equal(["Completed", "Completed", "Failed"], States(output, 3));
        Assert.Equal((2, 1), (output.Completed, output.Failed));

        await output.FinishAsync(3, CancellationToken.None);
        Assert.Equal(Lines(row => Completion(row), 1, 2), _folder.Read("out.jsonl"));
        Assert.Equal(Text(Failure(3, "still")), _folder.Read("out.errors.jsonl"));
    }

    public static TheoryData<int> Cuts()
    {
        int length = Text(Completion(2)).Length;
        return new TheoryData<int>(1, 2, 10, 18, length / 2, length - 2, length - 1);
    }

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task A_torn_last_line_is_cut_off_and_its_row_runs_again(int cut)
    {
        _folder.Write("out.jsonl.partial", Text(Completion(1)), Text(Completion(2))[..cut]);

        await using (OutputFile output = await _folder.OpenAsync())
        {
            Assert.Equal(["Completed", "Missing"], States(output, 2));
            Assert.Equal(Text(Completion(1)), _folder.Read("out.jsonl.partial"));
            output.Append(Completion(2));
            await output.FinishAsync(2, CancellationToken.None);
        }

        Assert.Equal(Lines(row => Completion(row), 1, 2), _folder.Read("out.jsonl"));
    }

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task A_checkpoint_that_is_nothing_but_a_torn_line_is_ours(int cut)
    {
        _folder.Write("out.jsonl.partial", Text(Completion(2))[..cut]);

        await using OutputFile output = await _folder.OpenAsync();

        Assert.Equal(0, output.Completed);
        Assert.Equal("", _folder.Read("out.jsonl.partial"));
    }

    [Theory]
    [InlineData("\0\0\0\0")]
    [InlineData("\0\0\0\0\n\0\n")]
    [InlineData("{\"id\":\"batch_req_half\n")]
    [InlineData("\n\n")]
    public async Task What_a_power_cut_leaves_at_the_end_is_cut_off(string tail)
    {
        _folder.Write("out.jsonl.partial", Text(Completion(1)), tail);

        await using OutputFile output = await _folder.OpenAsync();

        Assert.Equal(1, output.Completed);
        Assert.Equal(Text(Completion(1)), _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task A_damaged_line_in_the_midst_is_dropped_counted_and_run_again()
    {
        _folder.Write("out.jsonl.partial", Text(Completion(1)), "{\"id\":\"batch_req_" + Family + ".2\",\"resp\0\0\n", Text(Completion(3)));

        await using (OutputFile output = await _folder.OpenAsync())
        {
            Assert.Equal((2, 1, RowState.Missing), (output.Completed, output.Dropped, output.StateOf(2)));
            output.Append(Completion(2));
            await output.FinishAsync(3, CancellationToken.None);
        }

        Assert.Equal(Lines(row => Completion(row), 1, 2, 3), _folder.Read("out.jsonl"));
    }

    [Fact]
    public async Task A_damaged_results_file_is_repaired_with_what_is_whole()
    {
        _folder.Write("out.jsonl", Text(Completion(1)), "{\"id\":\"batch_req_x\n", Text(Completion(3)).TrimEnd('\n'));

        await _folder.RunAsync(3, [Completion(2)]);

        Assert.Equal(Lines(row => Completion(row), 1, 2, 3), _folder.Read("out.jsonl"));
    }

    [Fact]
    public async Task Files_that_went_through_an_editor_are_still_read()
    {
        _folder.Write("out.jsonl", "\uFEFF", Lines(row => Completion(row), 2, 1).Replace("\n", "\r\n", StringComparison.Ordinal), "\r\n");

        await _folder.RunAsync(2, []);

        Assert.Equal(Lines(row => Completion(row), 1, 2), _folder.Read("out.jsonl"));
    }

    [Fact]
    public async Task Lines_longer_than_any_buffer_are_found_and_put_into_order()
    {
        string big = new('x', 3_000_000);
        await using (OutputFile output = await _folder.OpenAsync())
        {
            output.Append(Completion(3, big));
            output.Append(Completion(1));
            output.Append(Completion(2, big));
        }

        await _folder.RunAsync(4, [Completion(4)]);

        Assert.Equal(Text(Completion(1)) + Text(Completion(2, big)) + Text(Completion(3, big)) + Text(Completion(4)), _folder.Read("out.jsonl"));
    }

    [Fact]
    public void A_line_over_the_maximum_is_passed_over_and_not_kept()
    {
        _folder.Write("x", "short\n", new string('y', 1_000_000), "\nlast");
        using var handle = File.OpenHandle(_folder.At("x"));
        var reader = new OutputLineReader(handle, maxLine: 300_000);
        var seen = new List<string>();
        while (reader.MoveNext())
            seen.Add($"{reader.Offset} {reader.Line.Length} {reader.IsTooLong} {reader.HasLineBreak}");

        Assert.Equal(["0 5 False True", "6 0 True True", "1000007 4 False False"], seen);
        Assert.Equal(1_000_011, reader.Next);
    }

    [Fact]
    public async Task Lines_of_another_batch_are_not_taken_for_rows()
    {
        await using OutputFile output = await _folder.OpenAsync();

        Assert.Throws<ArgumentException>(() => output.Append(Completion(1, batch: Other)));
        Assert.Throws<ArgumentException>(() => output.Append(Completion(0)));
        Assert.Throws<ArgumentException>(() => output.Append(Completion(1) with { JobId = Family + "." }));
        Assert.Throws<ArgumentException>(() => output.Append(Completion(1) with { JobId = Family + ".01" }));
    }

    [Fact]
    public async Task Rows_of_a_longer_run_are_known_by_a_shorter_one()
    {
        await _folder.RunAsync(3, [Completion(1), Completion(2), Completion(3)]);

        await _folder.RunAsync(1, []);

        Assert.Equal(Lines(row => Completion(row), 1, 2, 3), _folder.Read("out.jsonl"));
    }

    [Fact]
    public void A_million_rows_cost_less_than_30_MB()
    {
        var index = new OutputIndex();
        index.PutNewer(1, new OutputEntry(1, 1, OutputSource.Partial, true, false));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int row = 1; row <= 1_000_000; row++)
            index.PutNewer(row, new OutputEntry((long)row << 20, row, OutputSource.Partial, row % 3 != 0, true));
        long cost = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(cost, 0, 30_000_000);
        Assert.Equal((666_667, 333_333), (index.Completed, index.Failed));
        Assert.Equal(new OutputEntry(999_999L << 20, 999_999, OutputSource.Partial, false, true), index[999_999]);
    }
}
