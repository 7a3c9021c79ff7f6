namespace LlmPipeline;

/// <summary>
/// A bucket that fills steadily and may go into debt. It holds about one second's worth, because providers judge over one to ten seconds:
/// a minute's worth saved up and spent at once would be refused. Not safe for threads; the limiter locks.
/// </summary>
internal struct TokenBucket
{
    private readonly double _perSecond;
    private readonly double _capacity;
    private double _level;

    /// <param name="perMinute">How much flows in; null for a bucket that is never empty.</param>
    /// <param name="atLeast">What it holds however slowly it fills.</param>
    public TokenBucket(int? perMinute, double atLeast)
    {
        IsLimited = perMinute is not null;
        _perSecond = (perMinute ?? 0) / 60.0;
        _capacity = Math.Max(atLeast, _perSecond);
        _level = atLeast;
    }

    public bool IsLimited { get; }

    public void Fill(TimeSpan elapsed) => _level = Math.Min(_capacity, _level + (_perSecond * elapsed.TotalSeconds));

    /// <summary>Whether so much can be taken: it is there, or the bucket is full and never will hold it.</summary>
    public readonly bool Admits(double amount) => !IsLimited || Missing(amount) <= 0;

    /// <summary>How long until it can be taken.</summary>
    public readonly TimeSpan Until(double amount) => IsLimited && Missing(amount) is > 0 and var missing ? TimeSpan.FromSeconds(missing / _perSecond) : TimeSpan.Zero;

    /// <summary>Takes, also what is not there; a negative amount gives back.</summary>
    public void Take(double amount) => _level = Math.Min(_capacity, _level - amount);

    /// <summary>How often the amount can be taken from now until the horizon.</summary>
    public readonly double Room(double amount, TimeSpan horizon)
    {
        if (!IsLimited)
            return double.PositiveInfinity;
        var then = _level + (_perSecond * horizon.TotalSeconds);
        return then >= _capacity ? Math.Max(1, Math.Floor(then / amount)) : Math.Max(0, Math.Floor(then / amount));
    }

    // The tiny tolerance keeps a rounding error from costing another turn of the timer.
    private readonly double Missing(double amount) => Math.Min(amount, _capacity) - _level - 1e-6;
}
