namespace LlmPipeline;

/// <summary>What a row calls.</summary>
/// <param name="Model">Its model.</param>
/// <param name="Path">The path of the API.</param>
internal readonly record struct RowTarget(string Model, string Path)
{
    /// <summary>What the row of a job calls.</summary>
    public static RowTarget Of(Job job) => new(job.Model, job.Work is RequestWork request ? request.Path : "/v1/chat/completions");
}

/// <summary>
/// The rows that are enqueued and not yet on disk. It is bounded in rows and bytes, so that the store's memory does not grow with the file. Rows that no deployment can
/// serve take no room from the others.
/// </summary>
/// <param name="maxRows">Rows at most.</param>
/// <param name="maxBytes">Their bytes at most, but for <paramref name="leastRows"/>.</param>
/// <param name="leastRows">So many pass whatever their bytes: rows that are so large that fewer fit would leave calls unmade.</param>
/// <param name="isBlocked">Whether no deployment can serve rows of this kind.</param>
/// <param name="time">The clock.</param>
internal sealed class RunWindow(int maxRows, long maxBytes, int leastRows, Func<RowTarget, bool> isBlocked, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, (RowTarget Target, int Bytes)> _rows = [];
    private readonly Dictionary<RowTarget, (int Rows, long Bytes)> _targets = [];
    private readonly VersionedSignal _freed = new();

    /// <summary>Rows that are out.</summary>
    public int Rows
    {
        get
        {
            lock (_lock)
                return _rows.Count;
        }
    }

    /// <summary>Whether all rows that are out are such that no deployment can serve.</summary>
    public bool IsBlocked
    {
        get
        {
            lock (_lock)
                return _targets.All(one => one.Value.Rows == 0 || isBlocked(one.Key));
        }
    }

    /// <summary>There may be room again.</summary>
    public void Look() => _freed.Set();

    /// <summary>Takes rows in, when there is room for them; a row larger than all the room passes when it is alone.</summary>
    public async Task AddAsync(IReadOnlyList<(int Row, RowTarget Target, int Bytes)> rows, CancellationToken cancellationToken)
    {
        var bytes = rows.Sum(r => (long)r.Bytes);
        while (true)
        {
            var seen = _freed.Version;
            lock (_lock)
            {
                var (count, size) = Open();
                if (count == 0 || (count + rows.Count <= maxRows && (size + bytes <= maxBytes || count + rows.Count <= leastRows)))
                {
                    foreach (var (row, target, length) in rows)
                    {
                        _rows[row] = (target, length);
                        Count(target, 1, length);
                    }

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
                if (_rows.Remove(row, out var one))
                    Count(one.Target, -1, -one.Bytes);
            }
        }

        _freed.Set();
    }

    private (int Rows, long Bytes) Open()
    {
        var (rows, bytes) = (0, 0L);
        foreach (var (target, sum) in _targets)
        {
            if (sum.Rows > 0 && !isBlocked(target))
                (rows, bytes) = (rows + sum.Rows, bytes + sum.Bytes);
        }

        return (rows, bytes);
    }

    private void Count(RowTarget target, int rows, long bytes)
    {
        var sum = _targets.GetValueOrDefault(target);
        _targets[target] = (sum.Rows + rows, sum.Bytes + bytes);
    }
}
