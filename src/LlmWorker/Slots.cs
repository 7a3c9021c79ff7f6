namespace LlmPipeline;

/// <summary>The jobs that a process may run at the same time, shared by all its queues.</summary>
internal sealed class Slots(int count)
{
    private readonly Lock _lock = new();
    private int _used;

    /// <summary>Set when one becomes free.</summary>
    public VersionedSignal Freed { get; } = new();

    /// <summary>How many are taken.</summary>
    public int Used => Volatile.Read(ref _used);

    /// <summary>Takes up to <paramref name="wanted"/>; answers how many it got.</summary>
    public int Take(int wanted)
    {
        lock (_lock)
        {
            var got = Math.Clamp(count - _used, 0, wanted);
            _used += got;
            return got;
        }
    }

    /// <summary>Gives back what was taken.</summary>
    public void Free(int taken)
    {
        if (taken == 0)
            return;
        lock (_lock)
            _used -= taken;
        Freed.Set();
    }
}
