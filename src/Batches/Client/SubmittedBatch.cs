using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>A batch on the queue, and its results.</summary>
public sealed class SubmittedBatch
{
    private const int MostRead = 100;
    private readonly PromptQueue _queue;
    private readonly Func<BatchReader> _read;

    internal SubmittedBatch(BatchInfo info, PromptQueue queue, Func<BatchReader> read)
    {
        (Info, _queue, _read) = (info, queue, read);
    }

    /// <summary>Its id.</summary>
    public string Id => Info.Id;

    /// <summary>How many rows it has.</summary>
    public int Rows => Info.Rows;

    /// <summary>What is saved of it.</summary>
    public BatchInfo Info { get; }

    /// <summary>How far it is.</summary>
    public Task<BatchProgress> ProgressAsync() => _queue.Batches.ProgressAsync(Id);

    /// <summary>Asks its rows to stop: those that wait end as cancelled, running calls are broken off.</summary>
    public Task CancelAsync() => _queue.Batches.CancelAsync(Id);

    /// <summary>
    /// The results of all rows in the order of the rows, each as soon as it and those before it are there. Errors are results too:
    /// <see cref="JobResult.Status"/>. A Redis that is away is waited for.
    /// </summary>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async IAsyncEnumerable<JobResult> ResultsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var reader = _read();
        var ended = new HashSet<int>();
        for (var next = 1; next <= Rows;)
        {
            while (!ended.Contains(next))
            {
                if (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is not { } rows)
                    yield break;
                ended.UnionWith(rows);
            }

            var ready = new List<int>();
            for (; ready.Count < MostRead && ended.Remove(next); next++)
                ready.Add(next);
            await foreach (var result in OfAsync(reader, ready, cancellationToken).ConfigureAwait(false))
                yield return result;
        }
    }

    /// <summary>The results as the rows end, in any order; else as <see cref="ResultsAsync"/>.</summary>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async IAsyncEnumerable<JobResult> ResultsAsTheyEndAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var reader = _read();
        // A row that runs again ends again.
        var seen = new HashSet<int>();
        while (seen.Count < Rows && await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } rows)
        {
            await foreach (var result in OfAsync(reader, [.. rows.Where(seen.Add)], cancellationToken).ConfigureAwait(false))
                yield return result;
        }
    }

    private async IAsyncEnumerable<JobResult> OfAsync(
        BatchReader reader, IReadOnlyList<int> rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var n = 0;
        await foreach (var result in reader.ResultsAsync(rows, cancellationToken).ConfigureAwait(false))
        {
            yield return result ?? new JobResult
            {
                JobId = RowId.Of(Id, rows[n]),
                Status = ResultStatus.Failed,
                Meta = new ResultMeta { Error = new ResultError("result_expired", "the row has ended, but its result is no longer kept") },
            };
            n++;
        }
    }
}
