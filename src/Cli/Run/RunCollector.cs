using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>Follows the batch's ended jobs and writes their results to the checkpoint, in groups that are flushed to disk.</summary>
internal sealed class RunCollector(
    ResultStore results, BatchReader reader, OutputFile output, RunWindow window, RunTally tally, RunSpending spending, bool isShared,
    RunRequests? requests = null) : IDisposable
{
    private const int ResultsPerCall = 100;
    private readonly SemaphoreSlim _one = new(1);
    private readonly RunAnswers _answers = new(id => window.Contains(RowId.RowOf(output.BatchId, id)));
    private volatile bool _allFed;

    /// <summary>Set when there may be something to read.</summary>
    public VersionedSignal Look { get; } = new();

    private bool IsDone => _allFed && window.Rows == 0;

    /// <summary>Told of a completion that this process has stored, the collector need not fetch it.</summary>
    public void Know(JobResult completion) => _answers.Add(completion);

    /// <summary>Told of a completion that the store refuses, the collector takes it to the checkpoint all the same.</summary>
    public void KnowUnstored(JobResult completion) => _answers.AddUnstored(completion);

    /// <summary>No more rows will come: the collector ends with the last that is out.</summary>
    public void AllFed()
    {
        _allFed = true;
        Look.Set();
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var seen = Look.Version;
            // What was read is taken to its end: broken off in between, answers that are paid would be told by nobody again.
            var hasRead = await ReadAsync(CancellationToken.None).ConfigureAwait(false);
            if (hasRead)
                cancellationToken.ThrowIfCancellationRequested();
            if (IsDone && !hasRead)
                return;
            if (!IsDone)
                await reader.WaitAsync(Look, seen, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes what has ended since the last time; false when nothing has.</summary>
    public async Task<bool> ReadAsync(CancellationToken cancellationToken)
    {
        var rows = await reader.EndedAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        spending.Look();
        if (rows.Count == 0)
            return false;
        await TakeAsync(rows, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Writes the results of rows; those of rows that are not out are older.</summary>
    public async Task TakeAsync(IReadOnlyList<int> rows, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var taken = new List<int>();
            var failed = new List<int>();
            foreach (var part in rows.Where(window.Contains).Chunk(ResultsPerCall))
            {
                await foreach (var result in GetAsync(Array.ConvertAll(part, row => RowId.Of(output.BatchId, row)), cancellationToken).ConfigureAwait(false))
                {
                    // An older end of a row that runs again: it will come once more.
                    if (result is null)
                        continue;
                    output.Append(BatchLine.Of(result) with { Request = requests?.Take(RowId.RowOf(output.BatchId, result.JobId)) });
                    tally.Add(result);
                    taken.Add(RowId.RowOf(output.BatchId, result.JobId));
                    if (_answers.TakeUnstored(result.JobId) || result.Status == ResultStatus.Failed)
                        failed.Add(taken[^1]);
                    if (output.Unflushed > OutputFile.ManyBytes)
                        await FlushAsync(cancellationToken).ConfigureAwait(false);
                }
            }

            await FlushAsync(cancellationToken).ConfigureAwait(false);
            if (!isShared)
            {
                await results.DeleteAsync([.. taken.Select(row => RowId.Of(output.BatchId, row))]).ConfigureAwait(false);
                await reader.ForgetAsync(failed).ConfigureAwait(false);
            }

            window.Remove(taken);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        // First: what is on disk as an answer is there as a cost too.
        spending.Save();
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async IAsyncEnumerable<JobResult?> GetAsync(string[] ids, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var unknown = new List<string>();
        foreach (var id in ids)
        {
            if (_answers.Take(id) is { } known)
                yield return known;
            else
                unknown.Add(id);
        }

        await foreach (var result in results.ReadAsync(unknown, cancellationToken).ConfigureAwait(false))
            yield return result;
    }

    public void Dispose() => _one.Dispose();
}
