namespace LlmPipeline;

/// <summary>Reads a batch's ended jobs as they end: by position, so that nothing is missed and nothing rests on messages. Not thread-safe.</summary>
public sealed class BatchFollower
{
    private readonly string _batch;
    private readonly IReadOnlyList<QueuePartition> _partitions;
    private readonly RedisConnections _redis;
    private readonly long[] _positions;
    private readonly string[] _last;
    private readonly BatchProgress[] _progress;

    private long _losses;

    internal BatchFollower(RedisConnections redis, string batch, IReadOnlyList<QueuePartition> partitions)
    {
        _redis = redis;
        _losses = redis.Losses;
        _batch = batch;
        _partitions = partitions;
        _positions = new long[partitions.Count];
        _last = new string[partitions.Count];
        Array.Fill(_last, "");
        _progress = new BatchProgress[partitions.Count];
        Array.Fill(_progress, new BatchProgress(0, 0, 0, 0));
    }

    /// <summary>How far the batch was at the last read.</summary>
    public BatchProgress Progress => new(
        _progress.Sum(p => p.Expected), _progress.Sum(p => p.Completed), _progress.Sum(p => p.Failed), _progress.Sum(p => p.Cancelled))
    {
        SpentNanos = BatchProgress.SumOf(_progress),
    };

    /// <summary>
    /// The ids that have ended since the last read. An id can come again: when a redriven job has ended again, and when a connection was lost,
    /// after which all are told once more, because the Redis that is back may have another list.
    /// </summary>
    /// <param name="most">Ids at most from each partition.</param>
    public async Task<IReadOnlyList<string>> ReadAsync(int most = 1000)
    {
        if (_redis.Losses is var losses && losses != _losses)
        {
            Array.Clear(_positions);
            Array.Fill(_last, "");
        }

        var read = await Task.WhenAll(_partitions.Select((partition, p) => partition.FollowAsync(_batch, _positions[p], _last[p], Math.Max(1, most)))).ConfigureAwait(false);
        // Only now: where one partition did not answer, nothing was read.
        _losses = losses;
        for (var p = 0; p < read.Length; p++)
        {
            (_positions[p], _progress[p], var ids) = read[p];
            _last[p] = ids.Count > 0 ? ids[^1] : _last[p];
        }

        return [.. read.SelectMany(r => r.Ids)];
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
