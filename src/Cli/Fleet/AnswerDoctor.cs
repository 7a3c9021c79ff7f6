namespace LlmPipeline;

/// <summary>Finds completions that hold no answer, as earlier versions stored them. Never tells a word of a body.</summary>
internal static class AnswerDoctor
{
    /// <summary>Looks at the results file of a run.</summary>
    /// <exception cref="CliException">It cannot be read.</exception>
    public static AnswersReport OfFile(string path, CancellationToken cancellationToken)
    {
        try
        {
            var findings = new List<AnswerFinding>();
            var completions = 0;
            foreach (var line in File.ReadLines(path))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (OutputLineBody.Completion(System.Text.Encoding.UTF8.GetBytes(line)) is not var (jobId, body))
                    continue;
                completions++;
                if (StoredAnswer.Fault(body) is { } fault)
                    findings.Add(new AnswerFinding(jobId, fault, false));
            }

            return new AnswersReport(path, completions, findings);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Broke($"{path} cannot be read: {e.Message}");
        }
    }

    /// <summary>Looks at the results of a batch.</summary>
    /// <param name="fleet">Where they are.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="repair">Whether what is found is to count as failed.</param>
    /// <param name="cancellationToken">Gives up between two pages.</param>
    public static async Task<AnswersReport> OfBatchAsync(Fleet fleet, BatchInfo batch, bool repair, CancellationToken cancellationToken)
    {
        var findings = new List<AnswerFinding>();
        var completions = 0;
        var reader = fleet.Reader(batch);
        for (var first = 1; first <= batch.Rows; first += BatchReader.RowsPerCall)
        {
            var count = Math.Min(BatchReader.RowsPerCall, batch.Rows - first + 1);
            await foreach (var row in reader.ReadAsync(first, count, cancellationToken).ConfigureAwait(false))
            {
                if (!row.IsCompleted)
                    continue;
                completions++;
                if (StoredAnswer.Fault(row.Result!.Response) is { } fault)
                    findings.Add(new AnswerFinding(
                        row.Id.ToString(), fault, repair && await RepairAsync(fleet, batch, row, fault).ConfigureAwait(false)));
            }
        }

        return new AnswersReport(batch.Id, completions, findings);
    }

    // The counts first: where it is broken off between the two, the completion is still there to be found.
    private static async Task<bool> RepairAsync(Fleet fleet, BatchInfo batch, BatchRow row, string fault)
    {
        await fleet.AnsweredAsync(() => fleet.Queue.Batches.RevokeAsync(batch, [(row.Id.ToString(), row.Id.Row)]),
            CancellationToken.None).ConfigureAwait(false);
        var error = new ResultError("invalid_response", fault);
        return await fleet.AnsweredAsync(() => fleet.Results.RevokeAsync(row.Result!, error), CancellationToken.None).ConfigureAwait(false);
    }
}
