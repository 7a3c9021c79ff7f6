using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Reads the results of a batch, in the order of its rows or as they end. A Redis that is away is waited for. For one reader at a time.
/// </summary>
/// <param name="queue">The queue.</param>
/// <param name="results">The results.</param>
/// <param name="batch">The batch.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets a line when Redis is away; null for none.</param>
public sealed class BatchReader(PromptQueue queue, ResultStore results, BatchInfo batch, TimeProvider time, ILogger? logger = null)
{
    /// <summary>Rows that are read together.</summary>
    public const int RowsPerCall = 100;

    private readonly BatchPoll _poll = new(time);
    private BatchFollower? _follower;
    private bool _sealed = batch.Sealed;
    private bool _moved;

    /// <summary>The batch.</summary>
    public BatchInfo Batch => batch;

    /// <summary>How far the batch was when <see cref="EndedAsync"/> or <see cref="NextAsync"/> last read it.</summary>
    public BatchProgress Progress => _follower?.Progress ?? new BatchProgress(0, 0, 0, 0);

    /// <summary>Rows that follow each other; few of their results are in memory at a time where they are large.</summary>
    /// <param name="first">The first row, from 1.</param>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async IAsyncEnumerable<BatchRow> ReadAsync(int first, int count,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // The map first: a row that ends in between has its result before its mark.
        var ended = await AnsweredAsync(() => queue.Batches.EndedAsync(batch, first, count), cancellationToken).ConfigureAwait(false);
        var n = 0;
        await foreach (var result in ResultsAsync([.. Enumerable.Range(first, count)], cancellationToken).ConfigureAwait(false))
        {
            yield return new BatchRow(new RowId(batch.Id, first + n), null, ended[n] is not null, result);
            n++;
        }
    }

    /// <summary>The results of rows, in their order; null where there is none.</summary>
    public IAsyncEnumerable<JobResult?> ResultsAsync(IReadOnlyList<int> rows, CancellationToken cancellationToken = default) =>
        results.ReadAsync([.. rows.Select(row => RowId.Of(batch.Id, row))], cancellationToken);

    /// <summary>Whether a row has ended.</summary>
    public async Task<bool> HasEndedAsync(int row, CancellationToken cancellationToken = default) =>
        (await AnsweredAsync(() => queue.Batches.EndedAsync(batch, row, 1), cancellationToken).ConfigureAwait(false))[0] is not null;

    /// <summary>Rows that have ended since the last call, without waiting; a row that runs again comes again.</summary>
    /// <param name="most">Rows at most from each partition.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async Task<IReadOnlyList<int>> EndedAsync(int most = 1000, CancellationToken cancellationToken = default)
    {
        var follower = await FollowAsync(cancellationToken).ConfigureAwait(false);
        var ids = await AnsweredAsync(() => follower.ReadAsync(most), cancellationToken).ConfigureAwait(false);
        _moved = ids.Count > 0;
        return [.. ids.Select(id => RowId.RowOf(batch.Id, id)).Where(row => row > 0).Distinct()];
    }

    /// <summary>
    /// The same, waiting until there are some. Null: no more will come. Of a batch whose run had the answers of other rows already, these
    /// never come, because only
    /// the rest was submitted.
    /// </summary>
    public async Task<IReadOnlyList<int>?> NextAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var rows = await EndedAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            if (rows.Count > 0)
                return rows;
            if (_sealed && !_moved && Progress.Ended >= Progress.Expected)
                return null;
            if (!_sealed)
            {
                // Redis may have lost it while it was waited for.
                if (await AnsweredAsync(() => queue.Batches.FindAsync(batch.Id), cancellationToken).ConfigureAwait(false) is not { } now)
                    return null;
                _sealed = now.Sealed;
            }

            await _poll.WaitAsync(_moved, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Waits until it is worth reading again, as <see cref="BatchPoll.WaitAsync(bool, VersionedSignal, long, CancellationToken)"/> does.
    /// </summary>
    public Task WaitAsync(VersionedSignal ended, long seen, CancellationToken cancellationToken) =>
        _poll.WaitAsync(_moved, ended, seen, cancellationToken);

    /// <summary>
    /// Drops what was read so far from the queue, and the dead letters among it: as <see cref="BatchFollower.ForgetAsync"/>.
    /// </summary>
    /// <param name="failed">Rows that failed, and that nobody will run again.</param>
    public async Task ForgetAsync(IEnumerable<int> failed) =>
        await (await FollowAsync(CancellationToken.None).ConfigureAwait(false)).ForgetAsync([.. failed.Select(row =>
            RowId.Of(batch.Id, row))]).ConfigureAwait(false);

    private async Task<BatchFollower> FollowAsync(CancellationToken cancellationToken) =>
        _follower ??= await AnsweredAsync(() => queue.Batches.FollowAsync(batch.Id, batch.Queues), cancellationToken).ConfigureAwait(false);

    private Task<T> AnsweredAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) =>
        RedisRetry.UntilAnsweredAsync(call, time, logger, cancellationToken);
}
