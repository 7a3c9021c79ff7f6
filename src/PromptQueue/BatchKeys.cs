using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The keys of the batches that one settle call touches, three each, in order of first appearance.</summary>
internal sealed class BatchKeys
{
    private readonly Dictionary<string, int> _indexes = [];
    private readonly List<RedisKey> _keys = [];

    public BatchKeys(QueueKeys queue, IEnumerable<string?> batches)
    {
        foreach (var batch in batches)
        {
            if (batch is not null && _indexes.TryAdd(batch, _indexes.Count + 1))
                _keys.AddRange([queue.Batch(batch), queue.Ended(batch), queue.Finished(batch)]);
        }
    }

    public IReadOnlyList<RedisKey> Keys => _keys;

    /// <summary>From 1; 0 for no batch.</summary>
    public int IndexOf(string? batch) => batch is null ? 0 : _indexes[batch];
}
