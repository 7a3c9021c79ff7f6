namespace LlmPipeline;

/// <summary>Reads the results of a batch, row by row, and tells "not yet" from "no longer".</summary>
internal sealed class BatchReader(Fleet fleet, BatchInfo batch)
{
    /// <summary>Results in one round trip.</summary>
    public const int RowsPerCall = 100;

    public BatchInfo Batch => batch;

    /// <summary>Rows that follow each other.</summary>
    public async Task<IReadOnlyList<BatchRow>> ReadAsync(int first, int count, CancellationToken cancellationToken)
    {
        // The map first: a row that ends in between has its result before its mark.
        var ended = await fleet.AnsweredAsync(() => fleet.Queue.Batches.EndedAsync(batch, first, count), cancellationToken).ConfigureAwait(false);
        var results = await ResultsAsync([.. Enumerable.Range(first, count)], cancellationToken).ConfigureAwait(false);
        return [.. Enumerable.Range(0, count).Select(n => new BatchRow(first + n, ResultLine.JobId(batch.Id, first + n), ended[n] is not null, results[n]))];
    }

    /// <summary>The results of rows, in their order; null where there is none.</summary>
    public Task<IReadOnlyList<JobResult?>> ResultsAsync(IReadOnlyList<int> rows, CancellationToken cancellationToken) =>
        fleet.AnsweredAsync(() => fleet.Results.GetAsync([.. rows.Select(row => ResultLine.JobId(batch.Id, row))]), cancellationToken);

    /// <summary>Whether a row has ended.</summary>
    public async Task<bool> HasEndedAsync(int row, CancellationToken cancellationToken) =>
        (await fleet.AnsweredAsync(() => fleet.Queue.Batches.EndedAsync(batch, row, 1), cancellationToken).ConfigureAwait(false))[0] is not null;
}

/// <summary>A row of a batch, and what there is of it.</summary>
internal sealed record BatchRow(int Row, string JobId, bool HasEnded, JobResult? Result)
{
    /// <summary>It has no result yet.</summary>
    public bool IsOpen => Result is null && !HasEnded;

    /// <summary>It had a result, which is no longer kept.</summary>
    public bool IsGone => Result is null && HasEnded;

    public bool IsCompleted => Result is { Status: ResultStatus.Completed };

    /// <summary>The line of output; not for a row that is open.</summary>
    public OutputLine Line() => Result is not null ? ResultLine.Of(Result) : new OutputLine
    {
        JobId = JobId,
        CustomId = JobId,
        ErrorCode = "result_expired",
        ErrorMessage = "the row has ended, but its result is no longer kept",
    };
}
