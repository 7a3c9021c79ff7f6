namespace LlmPipeline;

/// <summary>
/// The rows that are enqueued and not yet on disk. It is bounded in rows and bytes, so that the store's memory does not grow with the file.
/// </summary>
/// <param name="maxRows">Rows at most.</param>
/// <param name="maxBytes">Their bytes at most, but for <paramref name="leastRows"/>.</param>
/// <param name="leastRows">So many pass whatever their bytes: rows that are so large that fewer fit would leave calls unmade.</param>
/// <param name="time">The clock.</param>
internal sealed class RunWindow(int maxRows, long maxBytes, int leastRows, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, int> _rows = [];
    private readonly VersionedSignal _freed = new();
    private long _bytes;

    public int Count
    {
        get
        {
            lock (_lock)
                return _rows.Count;
        }
    }

    /// <summary>Takes rows in, when there is room for them; a row larger than all the room passes when it is alone.</summary>
    public async Task AddAsync(IReadOnlyList<(int Row, int Bytes)> rows, CancellationToken cancellationToken)
    {
        var bytes = rows.Sum(r => (long)r.Bytes);
        while (true)
        {
            var seen = _freed.Version;
            lock (_lock)
            {
                if (_rows.Count == 0 || (_rows.Count + rows.Count <= maxRows && (_bytes + bytes <= maxBytes || _rows.Count + rows.Count <= leastRows)))
                {
                    foreach (var (row, size) in rows)
                        _rows[row] = size;
                    _bytes += bytes;
                    return;
                }
            }

            await _freed.WaitAsync(seen, TimeSpan.FromMinutes(1), time, cancellationToken).ConfigureAwait(false);
        }
    }

    public bool Contains(int row)
    {
        lock (_lock)
            return _rows.ContainsKey(row);
    }

    public void Remove(IEnumerable<int> rows)
    {
        lock (_lock)
        {
            foreach (var row in rows)
            {
                if (_rows.Remove(row, out var size))
                    _bytes -= size;
            }
        }

        _freed.Set();
    }
}
