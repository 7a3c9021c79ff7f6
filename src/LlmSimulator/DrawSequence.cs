namespace LlmPipeline;

/// <summary>Numbers that look random and depend only on where they start: SplitMix64 (Steele, Lea, Flood 2014).</summary>
internal struct DrawSequence(ulong start)
{
    private const ulong Step = 0x9E3779B97F4A7C15;
    private ulong _state = start;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        _state += Step;
        var z = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>The next number from 0 to <paramref name="bound"/> − 1.</summary>
    public int Next(int bound) => (int)(Next() % (ulong)bound);

    /// <summary>The next number in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>One number out of two, in which every bit of both counts.</summary>
    public static ulong Mix(ulong a, ulong b) => new DrawSequence(new DrawSequence(a).Next() ^ (b * Step)).Next();
}
