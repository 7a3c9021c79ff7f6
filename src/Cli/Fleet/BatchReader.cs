using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>Reads the results of a batch, row by row, and tells "not yet" from "no longer".</summary>
internal sealed class BatchReader(Fleet fleet, BatchInfo batch)
{
    /// <summary>Rows that are looked at together.</summary>
    public const int RowsPerCall = 100;

    public BatchInfo Batch => batch;

    /// <summary>Rows that follow each other; few of their results are in memory at a time where they are large.</summary>
    public async IAsyncEnumerable<BatchRow> ReadAsync(int first, int count, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The map first: a row that ends in between has its result before its mark.
        var ended = await fleet.AnsweredAsync(() => fleet.Queue.Batches.EndedAsync(batch, first, count), cancellationToken).ConfigureAwait(false);
        var n = 0;
        await foreach (var result in ResultsAsync([.. Enumerable.Range(first, count)], cancellationToken).ConfigureAwait(false))
        {
            yield return new BatchRow(first + n, ResultLine.JobId(batch.Id, first + n), ended[n] is not null, result);
            n++;
        }
    }

    /// <summary>The results of rows, in their order; null where there is none.</summary>
    public IAsyncEnumerable<JobResult?> ResultsAsync(IReadOnlyList<int> rows, CancellationToken cancellationToken) =>
        fleet.Results.ReadAsync([.. rows.Select(row => ResultLine.JobId(batch.Id, row))], cancellationToken);

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
