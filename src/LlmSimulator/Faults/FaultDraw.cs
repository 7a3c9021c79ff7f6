using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>Decides what a call meets: by its header, by the script, or drawn from seed, request and how often the request was seen.</summary>
internal sealed class FaultDraw(SimulatorOptions options)
{
    // Separates the draws for faults from those for texts and latencies, so that one says nothing of the other.
    private const ulong FaultStream = 0xFA;
    private const ulong LatencyStream = 0x1A;

    private readonly ConcurrentDictionary<ulong, int> _seen = new();
    private readonly bool _counts = options.FailShare > 0 || options.LatencyShape != LatencyShape.Constant;
    private int _calls;

    /// <summary>What this call meets, and the draw for its latency. <paramref name="request"/> is the hash of seed and request bytes.</summary>
    public (FaultKind Fault, ulong Latency) Next(ulong request, FaultKind? asked)
    {
        // Counting costs memory per distinct request, so it is done only where something depends on it.
        var seen = _counts ? _seen.AddOrUpdate(request, 1, static (_, n) => n + 1) : 1;
        var call = DrawSequence.Mix(request, (ulong)seen);
        var latency = DrawSequence.Mix(call, LatencyStream);
        if (asked is { } kind)
            return (kind, latency);
        if (options.Script is { } script && Interlocked.Increment(ref _calls) is var nth && nth <= script.Count && nth > 0)
            return (script[nth - 1], latency);
        var draws = new DrawSequence(DrawSequence.Mix(call, FaultStream));
        return (draws.NextDouble() < options.FailShare ? options.Faults[draws.Next(options.Faults.Count)] : FaultKind.None, latency);
    }
}
