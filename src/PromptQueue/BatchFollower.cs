namespace LlmPipeline;

/// <summary>Reads a batch's ended jobs as they end: by position, so that nothing is missed and nothing rests on messages. Not thread-safe.</summary>
public sealed class BatchFollower
{
    private readonly string _batch;
    private readonly IReadOnlyList<QueuePartition> _partitions;
    private readonly long[] _positions;
    private readonly BatchProgress[] _progress;

    internal BatchFollower(string batch, IReadOnlyList<QueuePartition> partitions)
    {
        _batch = batch;
        _partitions = partitions;
        _positions = new long[partitions.Count];
        _progress = new BatchProgress[partitions.Count];
        Array.Fill(_progress, new BatchProgress(0, 0, 0, 0));
    }

    /// <summary>How far the batch was at the last read.</summary>
    public BatchProgress Progress => new(
        _progress.Sum(p => p.Expected), _progress.Sum(p => p.Completed), _progress.Sum(p => p.Failed), _progress.Sum(p => p.Cancelled));

    /// <summary>The ids that have ended since the last read; a redriven job comes again when it ends again.</summary>
    /// <param name="most">Ids at most from each partition.</param>
    public async Task<IReadOnlyList<string>> ReadAsync(int most = 1000)
    {
        var ids = new List<string>();
        for (var p = 0; p < _partitions.Count; p++)
        {
            var (next, progress, read) = await _partitions[p].FollowAsync(_batch, _positions[p], Math.Max(1, most)).ConfigureAwait(false);
            _positions[p] = next;
            _progress[p] = progress;
            ids.AddRange(read);
        }

        return ids;
    }

    /// <summary>
    /// Drops what was read so far, and the dead letters among it. For the only reader of a batch, which has the results safe elsewhere:
    /// a store in memory stays small.
    /// </summary>
    /// <param name="dead">Ids of failed jobs that nobody will redrive.</param>
    public async Task ForgetAsync(IReadOnlyCollection<string> dead)
    {
        ArgumentNullException.ThrowIfNull(dead);
        for (var p = 0; p < _partitions.Count; p++)
            await _partitions[p].ForgetAsync(_batch, _positions[p], dead.Where(_partitions[p].Holds)).ConfigureAwait(false);
    }
}
