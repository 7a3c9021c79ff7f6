namespace LlmPipeline;

/// <summary>
/// The jobs that a process may run at the same time, shared by all its queues. A job gives its slot back when its call is over and the answer is safe; as many
/// more may then still wait to be settled, and while there are that many nothing is claimed.
/// </summary>
internal sealed class Slots(int count)
{
    private readonly Lock _lock = new();
    private int _used;
    private int _unsettled;

    /// <summary>Set when one becomes free.</summary>
    public VersionedSignal Freed { get; } = new();

    /// <summary>How many are taken.</summary>
    public int Used => Volatile.Read(ref _used);

    /// <summary>Takes up to <paramref name="wanted"/>; answers how many it got. Each is given back by <see cref="Free"/> and then by <see cref="Settled"/>.</summary>
    public int Take(int wanted)
    {
        lock (_lock)
        {
            var got = Math.Clamp(Math.Min(count - _used, (2 * count) - _unsettled), 0, wanted);
            _used += got;
            _unsettled += got;
            return got;
        }
    }

    /// <summary>Other jobs may run in their place.</summary>
    public void Free(int taken) => Give(taken, 0);

    /// <summary>They are settled, or were not needed.</summary>
    public void Settled(int taken) => Give(0, taken);

    private void Give(int used, int unsettled)
    {
        if (used + unsettled == 0)
            return;
        bool isNews;
        lock (_lock)
        {
            _used -= used;
            // As long as less than that many are unsettled, that they are fewer now changes nothing.
            isNews = used > 0 || _unsettled >= 2 * count;
            _unsettled -= unsettled;
        }

        if (isNews)
            Freed.Set();
    }
}
