using static LlmPipeline.Tests.OutputFolder;

namespace LlmPipeline.Tests;

public sealed class OpeningAnOutput : IDisposable
{
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private OutputPaths PathsOf(string output) => OutputPaths.For(_folder.At("in.jsonl"), _folder.At(output));

    [Fact]
    public async Task A_folder_that_is_not_there_is_refused()
    {
        OutputException e = await _folder.RefusedAsync(paths: PathsOf("d/out.jsonl"));

        Assert.Contains($"no folder {_folder.At("d")}", e.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.Names());
    }

    [Theory]
    [InlineData("out.jsonl/x.jsonl")]
    [InlineData("out.jsonl/d/x.jsonl")]
    public async Task An_output_below_a_file_is_refused(string output)
    {
        _folder.Write("out.jsonl", "x");

        OutputException e = await _folder.RefusedAsync(paths: PathsOf(output));

        Assert.Contains($"not a folder", e.Message, StringComparison.Ordinal);
        Assert.Equal(["out.jsonl"], _folder.Names());
    }

    [Theory]
    [InlineData("out.jsonl")]
    [InlineData("out.errors.jsonl")]
    [InlineData("out.jsonl.partial")]
    public async Task A_folder_in_the_place_of_a_file_is_refused(string name)
    {
        Directory.CreateDirectory(_folder.At(name));

        Assert.Contains("is a folder", (await _folder.RefusedAsync(new OutputOptions { Force = true })).Message, StringComparison.Ordinal);
        Assert.Equal([name], _folder.Names());
    }

    [Fact]
    public async Task A_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for()
    {
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [_folder.At("out.jsonl.partial")]))
            await mkfifo.WaitForExitAsync();

        Assert.Contains("pipe", (await _folder.RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_too_long_for_its_temporary_files_fails_before_the_first_call()
    {
        OutputException e = await Assert.ThrowsAsync<OutputException>(() => _folder.OpenAsync(paths: PathsOf(new string('x', 240) + ".jsonl")));

        Assert.False(e.Refused);
        Assert.Empty(_folder.Names());
    }

    [Theory]
    [InlineData("out.jsonl")]
    [InlineData("out.errors.jsonl")]
    [InlineData("out.jsonl.partial")]
    public async Task Answers_of_another_batch_are_refused_and_left_as_they_are(string name)
    {
        string before = Lines(row => Completion(row, batch: Other), 1, 2);
        _folder.Write(name, before);

        OutputException e = await _folder.RefusedAsync();

        Assert.Contains(Other, e.Message, StringComparison.Ordinal);
        Assert.Contains("--force", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, _folder.Read(name));
        Assert.Equal([name], _folder.Names());
    }

    [Theory]
    [InlineData("out.jsonl", "dear diary\n")]
    [InlineData("out.jsonl", "dear diary")]
    [InlineData("out.jsonl", "{\"id\":\"batch_req_abc123\",\"custom_id\":\"1\",\"response\":{\"status_code\":200,\"body\":{}},\"error\":null}\n")]
    [InlineData("out.jsonl", "{\"id\":\"batch_req_")]
    [InlineData("out.errors.jsonl", "[1]\n")]
    [InlineData("out.jsonl.partial", "dear diary")]
    [InlineData("out.jsonl.partial", "{\"a\":1}\n")]
    public async Task Other_files_are_refused_and_left_as_they_are(string name, string before)
    {
        _folder.Write(name, before);

        OutputException e = await _folder.RefusedAsync();

        Assert.Contains(_folder.At(name), e.Message, StringComparison.Ordinal);
        Assert.Equal(before, _folder.Read(name));
        Assert.Equal([name], _folder.Names());
    }

    [Theory]
    [InlineData("out.jsonl")]
    [InlineData("out.errors.jsonl")]
    [InlineData("out.jsonl.partial")]
    public async Task Force_replaces_another_batch_but_not_before_the_end(string name)
    {
        string before = Lines(row => Completion(row, batch: Other), 1, 2, 3);
        _folder.Write(name, before);

        await using (OutputFile output = await _folder.OpenAsync(new OutputOptions { Force = true }))
        {
            Assert.Equal((0, 0, Family), (output.Completed, output.Failed, output.BatchId));
            output.Append(Completion(1));
            await output.FlushAsync(CancellationToken.None);
            if (name != "out.jsonl.partial")
                Assert.Equal(before, _folder.Read(name));
            await output.FinishAsync(1, CancellationToken.None);
        }

        Assert.Equal(["out.jsonl"], _folder.Names());
        Assert.Equal(Lines(row => Completion(row), 1), _folder.Read("out.jsonl"));
    }

    [Fact]
    public async Task Force_replaces_a_file_that_is_no_output()
    {
        _folder.Write("out.jsonl", "dear diary\nmore\n");
        _folder.Write("out.jsonl.partial", "dear diary");

        await _folder.RunAsync(1, [Completion(1)], new OutputOptions { Force = true });

        Assert.Equal(Lines(row => Completion(row), 1), _folder.Read("out.jsonl"));
        Assert.Equal(["out.jsonl"], _folder.Names());
    }

    [Fact]
    public async Task Empty_files_are_in_nobodys_way()
    {
        _folder.Write("out.jsonl");
        _folder.Write("out.errors.jsonl");
        _folder.Write("out.jsonl.partial");

        await _folder.RunAsync(1, [Completion(1)]);

        Assert.Equal(["out.jsonl"], _folder.Names());
    }

    [Theory]
    [InlineData("out.jsonl")]
    [InlineData("out.jsonl.partial")]
    public async Task Synthetic_answers_give_way_to_real_ones_but_not_the_other_way_round(string name)
    {
        _folder.Write(name, Lines(row => Completion(row, batch: Synthetic), 1, 2));

        await _folder.RefusedAsync();
        await _folder.RunAsync(2, [Completion(2), Completion(1)], batch: Batch(Family, Synthetic));

        Assert.Equal(Lines(row => Completion(row), 1, 2), _folder.Read("out.jsonl"));
        await _folder.RefusedAsync(batch: Batch(Synthetic));
    }

    [Fact]
    public async Task A_rerun_keeps_the_old_results_until_the_new_ones_are_whole()
    {
        await _folder.RunAsync(2, [Completion(1, "old"), Failure(2, "old")]);
        string old = _folder.Read("out.jsonl");

        var again = new OutputOptions { Again = true };
        await using (OutputFile output = await _folder.OpenAsync(again, Batch(Rerun)))
        {
            Assert.Equal((Rerun, RowState.Missing, 0), (output.BatchId, output.StateOf(1), output.Completed));
            output.Append(Completion(1, "new", Rerun));
            await output.FlushAsync(CancellationToken.None);
        }

        Assert.Equal(old, _folder.Read("out.jsonl"));
        OutputException e = await _folder.RefusedAsync(again, Batch(Rerun) with { Id = Family + "-abcdef01" });
        Assert.Contains("without --again", e.Message, StringComparison.Ordinal);

        await using (OutputFile output = await _folder.OpenAsync())
        {
            Assert.Equal((Rerun, RowState.Completed, RowState.Missing), (output.BatchId, output.StateOf(1), output.StateOf(2)));
            output.Append(Completion(2, "new", Rerun));
            await output.FinishAsync(2, CancellationToken.None);
        }

        Assert.Equal(Lines(row => Completion(row, "new", Rerun), 1, 2), _folder.Read("out.jsonl"));
        Assert.Equal(["out.jsonl"], _folder.Names());
    }

    [Fact]
    public async Task A_rerun_with_force_drops_an_unfinished_run()
    {
        _folder.Write("out.jsonl.partial", Lines(row => Completion(row), 1));

        await _folder.RefusedAsync(new OutputOptions { Again = true }, Batch(Rerun));
        await using OutputFile output = await _folder.OpenAsync(new OutputOptions { Again = true, Force = true }, Batch(Rerun));

        Assert.Equal(0, output.Completed);
        Assert.Equal("", _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task Force_alone_still_continues_the_same_batch()
    {
        _folder.Write("out.jsonl.partial", Lines(row => Completion(row), 1));

        await using OutputFile output = await _folder.OpenAsync(new OutputOptions { Force = true });

        Assert.True(output.IsDone(1));
    }

    [Fact]
    public async Task A_table_that_no_run_has_written_is_refused()
    {
        _folder.Write("out.csv", "my,table\r\n");
        OutputPaths paths = PathsOf("out.csv");

        await _folder.RefusedAsync(paths: paths);
        Assert.Equal(["out.csv"], _folder.Names());
        await using (await _folder.OpenAsync(new OutputOptions { Force = true }, paths: paths))
        {
        }

        _folder.Write("out.results.jsonl", Lines(row => Completion(row), 1));
        await using (await _folder.OpenAsync(paths: paths))
        {
        }

        Assert.Equal("my,table\r\n", _folder.Read("out.csv"));
    }

    [Fact]
    public async Task An_id_out_of_a_strange_file_cannot_steer_the_terminal()
    {
        _folder.Write("out.jsonl", """{"id":"batch_req_\u001b[2Jx.1","response":{"status_code":200},"error":null}""" + "\n");

        Assert.DoesNotContain('\u001b', (await _folder.RefusedAsync()).Message);
    }
}
