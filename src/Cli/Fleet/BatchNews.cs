namespace LlmPipeline;

/// <summary>Waits for rows of a batch to end.</summary>
internal sealed class BatchNews
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private readonly Fleet _fleet;
    private readonly BatchFollower _follower;
    private readonly string _batch;

    private BatchNews(Fleet fleet, BatchFollower follower, string batch)
    {
        _fleet = fleet;
        _follower = follower;
        _batch = batch;
    }

    public static async Task<BatchNews> OpenAsync(Fleet fleet, BatchInfo batch, CancellationToken cancellationToken) =>
        new(fleet, await fleet.AnsweredAsync(() => fleet.Queue.Batches.FollowAsync(batch.Id, batch.Queues), cancellationToken).ConfigureAwait(false), batch.Id);

    /// <summary>Rows that have ended since the last call; one that runs again comes again. Waits until there are some.</summary>
    public async Task<IReadOnlyList<int>> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var ids = await _fleet.AnsweredAsync(() => _follower.ReadAsync(), cancellationToken).ConfigureAwait(false);
            if (ids.Count > 0)
                return [.. ids.Select(id => RunLine.RowOf(_batch, id)).Where(row => row > 0).Distinct()];
            await Task.Delay(Pause, _fleet.Time, cancellationToken).ConfigureAwait(false);
        }
    }
}
