namespace LlmPipeline;

/// <summary>Writes results to OUTPUT and its errors file; what was fetched is kept in the checkpoint until all are there.</summary>
internal sealed class ResultsFile(OutputPaths paths, bool force)
{
    /// <summary>Fetches what there is; with <paramref name="wait"/> until every row has its line.</summary>
    /// <param name="reader">The batch.</param>
    /// <param name="wait">Whether to wait for rows that have not ended.</param>
    /// <param name="table">Makes the table when all lines are there; null for none.</param>
    /// <param name="cancellationToken">Ends it; what was fetched is kept.</param>
    public async Task<ResultsReport> WriteAsync(BatchReader reader, bool wait, Func<Task>? table, CancellationToken cancellationToken)
    {
        var batch = reader.Batch;
        // Rows that failed when they were fetched before may have run again since.
        await using var output = await OutputFile.OpenAsync(
            paths, new OutputBatch { Id = batch.Id, Family = batch.Id }, new OutputOptions { Force = force, RetryFailed = true }, cancellationToken).ConfigureAwait(false);
        if (output.BatchId != batch.Id)
            throw CliException.Usage($"{paths.Results} holds answers of batch {output.BatchId}; choose another -o");
        var (expired, open) = await FillAsync(reader, output, wait, cancellationToken).ConfigureAwait(false);
        var states = Enumerable.Range(1, batch.Rows).Select(output.StateOf).ToLookup(state => state);
        var failed = states[RowState.Failed].Count();
        if (open == 0)
            await output.FinishAsync(batch.Rows, CancellationToken.None).ConfigureAwait(false);
        if (open == 0 && table is not null)
            await table().ConfigureAwait(false);
        return new ResultsReport(batch.Id, batch.Rows, states[RowState.Completed].Count(), failed - expired, expired, open)
        {
            Output = paths.Csv ?? paths.Results,
            Errors = open == 0 && failed > 0 ? paths.Errors : null,
        };
    }

    /// <summary>Fetches what an output does not have; with <paramref name="wait"/> until it has every row.</summary>
    /// <returns>How many rows have lost their results, and how many have none yet.</returns>
    public static async Task<(int Expired, int Open)> FillAsync(BatchReader reader, OutputFile output, bool wait, CancellationToken cancellationToken)
    {
        var expired = await FetchAsync(reader, output, cancellationToken).ConfigureAwait(false);
        var open = Enumerable.Range(1, reader.Batch.Rows).Count(row => !output.IsDone(row));
        while (wait && open > 0 && await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } rows)
            open -= await TakeAsync(reader, output, rows, cancellationToken).ConfigureAwait(false);
        return (expired, open);
    }

    /// <summary>Fetches, in order, every row that is not there.</summary>
    /// <returns>How many have lost their results.</returns>
    private static async Task<int> FetchAsync(BatchReader reader, OutputFile output, CancellationToken cancellationToken)
    {
        var expired = 0;
        for (var first = 1; first <= reader.Batch.Rows; first += BatchReader.RowsPerCall)
        {
            var count = Math.Min(BatchReader.RowsPerCall, reader.Batch.Rows - first + 1);
            if (Enumerable.Range(first, count).All(output.IsDone))
                continue;
            await foreach (var row in reader.ReadAsync(first, count, cancellationToken).ConfigureAwait(false))
            {
                if (row.IsOpen || output.IsDone(row.Id.Row))
                    continue;
                output.Append(row.Line());
                expired += row.IsGone ? 1 : 0;
                if (output.Unflushed > OutputFile.ManyBytes)
                    await output.FlushAsync(cancellationToken).ConfigureAwait(false);
            }

            await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        return expired;
    }

    /// <returns>How many rows were written.</returns>
    private static async Task<int> TakeAsync(BatchReader reader, OutputFile output, IReadOnlyList<int> rows, CancellationToken cancellationToken)
    {
        var taken = 0;
        foreach (var part in rows.Where(row => row <= reader.Batch.Rows && !output.IsDone(row)).Chunk(BatchReader.RowsPerCall))
        {
            // Null: an older end of a row that runs again; it will come once more.
            await foreach (var result in reader.ResultsAsync(part, cancellationToken).ConfigureAwait(false))
            {
                if (result is null)
                    continue;
                output.Append(BatchLine.Of(result));
                taken++;
                if (output.Unflushed > OutputFile.ManyBytes)
                    await output.FlushAsync(cancellationToken).ConfigureAwait(false);
            }

            await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        return taken;
    }
}
