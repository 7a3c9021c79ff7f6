namespace LlmPipeline.Tests;

public sealed class NamingOutputFiles : IDisposable
{
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.jsonl", null, "a.results.jsonl", "a.errors.jsonl", null)]
    [InlineData("a.csv", null, "a.results.jsonl", "a.errors.jsonl", null)]
    [InlineData("a.TXT", null, "a.results.jsonl", "a.errors.jsonl", null)]
    [InlineData("a", null, "a.results.jsonl", "a.errors.jsonl", null)]
    [InlineData("notes.v2", null, "notes.v2.results.jsonl", "notes.v2.errors.jsonl", null)]
    [InlineData("a.results.jsonl", null, "a.results.results.jsonl", "a.results.errors.jsonl", null)]
    [InlineData(".jsonl", null, ".jsonl.results.jsonl", ".jsonl.errors.jsonl", null)]
    [InlineData("d/a.jsonl", null, "d/a.results.jsonl", "d/a.errors.jsonl", null)]
    [InlineData("a.jsonl", "r.jsonl", "r.jsonl", "r.errors.jsonl", null)]
    [InlineData("a.jsonl", "r.results.jsonl", "r.results.jsonl", "r.errors.jsonl", null)]
    [InlineData("a.jsonl", "r.csv", "r.results.jsonl", "r.errors.jsonl", "r.csv")]
    [InlineData("a.jsonl", "r.CSV", "r.results.jsonl", "r.errors.jsonl", "r.CSV")]
    [InlineData("a.jsonl", "r", "r", "r.errors.jsonl", null)]
    [InlineData("a.jsonl", "r.2026", "r.2026", "r.2026.errors.jsonl", null)]
    [InlineData("a.tsv", "r.tsv", "r.results.jsonl", "r.errors.jsonl", "r.tsv")]
    [InlineData("a.jsonl.gz", null, "a.results.jsonl", "a.errors.jsonl", null)]
    [InlineData("a.csv.zst", null, "a.results.jsonl", "a.errors.jsonl", null)]
    [InlineData("a.jsonl", "r.errors.jsonl", "r.errors.jsonl", "r.errors.errors.jsonl", null)]
    public void Results_errors_and_table_are_named_after_the_output_or_the_input(string input, string? output, string results, string errors, string? csv)
    {
        OutputPaths paths = OutputPaths.For(input, output);

        Assert.Equal((results, errors, csv, results + ".partial"), (paths.Results, paths.Errors, paths.Csv, paths.Partial));
    }

    [Theory]
    [InlineData("in.jsonl")]
    [InlineData("./in.jsonl")]
    [InlineData("d/../in.jsonl")]
    [InlineData("link.jsonl")]
    [InlineData("hard.jsonl")]
    [InlineData("by/in.jsonl")]
    public void The_input_is_refused_as_output_under_any_name(string output)
    {
        _folder.Write("in.jsonl", "x");
        File.CreateSymbolicLink(_folder.At("link.jsonl"), _folder.At("in.jsonl"));
        Directory.CreateSymbolicLink(_folder.At("by"), _folder.Root);
        HardLink("in.jsonl", "hard.jsonl");

        OutputException e = Assert.Throws<OutputException>(() => OutputPaths.For(_folder.At("in.jsonl"), _folder.Root + "/" + output));

        Assert.True(e.Refused);
        Assert.Contains("is the input", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("r.errors.jsonl", "r.jsonl")]
    [InlineData("r.jsonl.partial", "r.jsonl")]
    [InlineData("r.results.jsonl", "r.csv")]
    [InlineData("r.csv", "r.csv")]
    [InlineData("r.jsonl.sorting.partial", "r.jsonl")]
    public void The_input_is_refused_as_any_file_that_the_run_would_write(string input, string output)
    {
        OutputException e = Assert.Throws<OutputException>(() => OutputPaths.For(_folder.At(input), _folder.At(output)));

        Assert.Contains(input, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("d/")]
    [InlineData("..")]
    [InlineData("a\0b")]
    [InlineData("r.xlsx")]
    [InlineData("r.parquet")]
    [InlineData("r.txt")]
    [InlineData("/dev/full")]
    [InlineData("/dev/null")]
    [InlineData("/dev/stdout")]
    [InlineData("/dev/fd/1")]
    [InlineData("/proc/self/fd/1")]
    public void What_cannot_be_a_file_is_refused(string output) =>
        Assert.True(Assert.Throws<OutputException>(() => OutputPaths.For("a.jsonl", output)).Refused);

    [Fact]
    public async Task A_symbolic_link_is_followed_so_that_it_stays_a_link()
    {
        Directory.CreateDirectory(_folder.At("d"));
        File.CreateSymbolicLink(_folder.At("link.jsonl"), _folder.At("d/real.jsonl"));

        OutputPaths paths = OutputPaths.For(_folder.At("in.jsonl"), _folder.At("link.jsonl"));
        await using (OutputFile output = await _folder.OpenAsync(paths: paths))
        {
            output.Append(OutputFolder.Completion(1));
            await output.FinishAsync(1, CancellationToken.None);
        }

        Assert.NotNull(new FileInfo(_folder.At("link.jsonl")).LinkTarget);
        Assert.Equal(OutputFolder.Text(OutputFolder.Completion(1)), _folder.Read("d/real.jsonl"));
    }

    [Fact]
    public void A_relative_link_is_resolved_beside_itself_and_a_circle_is_refused()
    {
        Directory.CreateDirectory(_folder.At("d"));
        File.CreateSymbolicLink(_folder.At("link.jsonl"), "d/real.jsonl");
        File.CreateSymbolicLink(_folder.At("one.jsonl"), "two.jsonl");
        File.CreateSymbolicLink(_folder.At("two.jsonl"), "one.jsonl");
        string here = Path.GetRelativePath(".", _folder.Root);

        Assert.Equal(Path.GetFullPath(_folder.At("d/real.jsonl")), OutputPaths.For("in.jsonl", Path.Join(here, "link.jsonl")).Results);
        OutputException e = Assert.Throws<OutputException>(() => OutputPaths.For("in.jsonl", Path.Join(here, "one.jsonl")));
        Assert.True(e.Refused);
        Assert.Contains("circle", e.Message, StringComparison.Ordinal);
    }

    private void HardLink(string from, string to)
    {
        using var ln = System.Diagnostics.Process.Start("ln", [_folder.At(from), _folder.At(to)]);
        ln.WaitForExit();
    }
}
