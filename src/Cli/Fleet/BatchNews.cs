namespace LlmPipeline;

/// <summary>Waits for rows of a batch to end.</summary>
internal sealed class BatchNews
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private readonly Fleet _fleet;
    private readonly BatchFollower _follower;
    private readonly BatchInfo _batch;
    private bool _sealed;

    private BatchNews(Fleet fleet, BatchFollower follower, BatchInfo batch)
    {
        _fleet = fleet;
        _follower = follower;
        _batch = batch;
        _sealed = batch.Sealed;
    }

    public static async Task<BatchNews> OpenAsync(Fleet fleet, BatchInfo batch, CancellationToken cancellationToken) =>
        new(fleet, await fleet.AnsweredAsync(() => fleet.Queue.Batches.FollowAsync(batch.Id, batch.Queues), cancellationToken).ConfigureAwait(false), batch);

    /// <summary>
    /// Rows that have ended since the last call; one that runs again comes again. Waits until there are some. Null: no more will come, although the batch has
    /// more rows, because a run that had the answers of the others submitted only these.
    /// </summary>
    public async Task<IReadOnlyList<int>?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var ids = await _fleet.AnsweredAsync(() => _follower.ReadAsync(), cancellationToken).ConfigureAwait(false);
            if (ids.Count > 0)
                return [.. ids.Select(id => ResultLine.RowOf(_batch.Id, id)).Where(row => row > 0).Distinct()];
            if (_sealed && _follower.Progress.Expected < _batch.Rows && _follower.Progress.Ended >= _follower.Progress.Expected)
                return null;
            _sealed = _sealed || await _fleet.FindBatchAsync(_batch.Id, cancellationToken).ConfigureAwait(false) is { Sealed: true };
            await Task.Delay(Pause, _fleet.Time, cancellationToken).ConfigureAwait(false);
        }
    }
}
