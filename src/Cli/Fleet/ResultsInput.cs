namespace LlmPipeline;

/// <summary>The file that a batch was submitted from, for the columns of a table.</summary>
internal static class ResultsInput
{
    private const int Sample = 100;

    // Any name tells the reader that the lines are rows for a prompt function.
    private const string AnyPrompt = "";

    /// <summary>
    /// Opens the file, and makes sure that it is the batch's: it has as many rows, and the first results have the names of its first
    /// rows.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="prompt">The prompt function that the rows are for; null where the file itself shows its kind.</param>
    /// <param name="reader">The batch.</param>
    /// <param name="maxRowBytes">How long a row may be.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CliException">It is another file, or has errors.</exception>
    public static async Task<(InputFile Input, InputSummary Summary)> OpenAsync(string path, string? prompt, BatchReader reader,
        int maxRowBytes, CancellationToken cancellationToken)
    {
        var (input, summary) = await CheckAsync(path, prompt, reader.Batch.Rows, maxRowBytes, cancellationToken).ConfigureAwait(false);
        // A table of rows, or rows of data, without --prompt.
        if (prompt is null && (summary.ErrorCount > 0 || summary.Rows != reader.Batch.Rows)
            && await CheckAsync(path, AnyPrompt, reader.Batch.Rows, maxRowBytes,
                cancellationToken).ConfigureAwait(false) is { Summary: { ErrorCount: 0 } rows } other && rows.Rows == reader.Batch.Rows)
            (input, summary) = other;
        if (prompt is null && summary.ErrorCount > 0 && await CheckAsync(path, null, reader.Batch.Rows, maxRowBytes,
                cancellationToken, InputAs.Text).ConfigureAwait(false) is { Summary: { ErrorCount: 0 } text } lines && text.Rows == reader.Batch.Rows)
            (input, summary) = lines;
        if (summary.ErrorCount > 0)
            throw CliException.Input(path, summary);
        if (summary.Rows < reader.Batch.Rows)
            throw CliException.Usage(
                $"--input {path}: has {RunConsole.Text(summary.Rows)} rows, and batch {reader.Batch.Id} has "
                + $"{RunConsole.Text(reader.Batch.Rows)}: it is another file");
        await CompareAsync(path, input, reader, cancellationToken).ConfigureAwait(false);
        return (input, summary);
    }

    private static async Task<(InputFile Input, InputSummary Summary)> CheckAsync(string path, string? prompt, int rows, int maxRowBytes,
        CancellationToken cancellationToken, InputAs? kind = null)
    {
        var input = InputFile.Open(path,
            new InputOptions { DefaultModel = "none", PromptName = prompt, Limit = rows, MaxRowBytes = maxRowBytes, As = kind });
        return (input, await input.CheckAsync(cancellationToken).ConfigureAwait(false));
    }

    private static async Task CompareAsync(string path, InputFile input, BatchReader reader, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await foreach (var row in input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            names.Add(row.CustomId);
            if (names.Count == Math.Min(Sample, reader.Batch.Rows))
                break;
        }

        await foreach (var result in reader.ResultsAsync([.. Enumerable.Range(1, names.Count)], cancellationToken).ConfigureAwait(false))
        {
            if (result is { Meta.CustomId: { } name } && RowId.RowOf(reader.Batch.Id, result.JobId) is var row && name != names[row - 1])
                throw CliException.Usage(
                    $"--input {path}: row {row} is {names[row - 1]}, and that of batch {reader.Batch.Id} is {name}: it is another file");
        }
    }
}
