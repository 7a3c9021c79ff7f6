using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>
/// Decides which dialect a call meets, drawn from seed and prompt, so that each attempt of a row meets the same one; and counts. With
/// shares, <see cref="PlayedWhen.First"/> and <see cref="PlayedWhen.Nth"/> count the calls of one prompt, so that the share holds; without,
/// all calls.
/// </summary>
internal sealed class DialectDraw
{
    // Separates these draws from those for texts, latencies and faults.
    private const ulong DialectStream = 0xD1;

    private readonly (IReadOnlyList<PlayedDialect> Rows, double UpTo)[] _dialects;
    private readonly ulong _seed;
    private readonly TimeProvider _time;
    private readonly bool _perPrompt;
    private readonly ConcurrentDictionary<(string Row, ulong Prompt), Met> _met = new();

    public DialectDraw(SimulatorOptions options, TimeProvider time)
    {
        _seed = DrawSequence.Mix((ulong)options.Seed, DialectStream);
        _time = time;
        _perPrompt = options.Dialects.Any(d => d.Share is not null);
        _dialects = new (IReadOnlyList<PlayedDialect>, double)[options.Dialects.Count];
        var upTo = 0.0;
        for (var n = 0; n < _dialects.Length; n++)
        {
            upTo += options.Dialects[n].Share ?? 1.0 / _dialects.Length;
            // The last one of a full set takes what rounding leaves over.
            var isLast = n == _dialects.Length - 1 && upTo > 1 - 1e-9;
            _dialects[n] = (SimulatorDialects.Default.Find(options.Dialects[n].Name), isLast ? double.MaxValue : upTo);
        }
    }

    /// <summary>The row that a prompt draws, whatever its call is like; null for none.</summary>
    public PlayedDialect? Of(ulong prompt)
    {
        var draws = new DrawSequence(DrawSequence.Mix(_seed, prompt));
        var drawn = draws.NextDouble();
        foreach (var (rows, upTo) in _dialects)
            if (drawn < upTo)
                return rows[draws.Next(rows.Count)];
        return null;
    }

    /// <summary>The row that a call meets and how many calls have met it, this one included; null for none.</summary>
    public (PlayedDialect Row, int Nth)? Next(PlayedCall call)
    {
        if (Of(call.Prompt) is not { } row || !row.When.Holds(call))
            return null;
        var met = _met.GetOrAdd((row.Name, _perPrompt ? call.Prompt : 0), static (_, time) => new Met(time.GetTimestamp()), _time);
        var nth = met.Next();
        var when = row.When;
        var isOver = nth > when.First
            || (when.Nth is { } only && nth != only)
            || (when.Seconds is { } seconds && _time.GetElapsedTime(met.Since).TotalSeconds >= seconds);
        return isOver ? null : (row, nth);
    }

    /// <summary>The row that decides about <c>GET /v1/models</c>: the first that does not simply list them; null for none.</summary>
    public PlayedDialect? ForModels(bool hasKey) => _dialects.SelectMany(d => d.Rows)
        .FirstOrDefault(row => row.Models != PlayedModels.List && !(row.When.Calls == PlayedCalls.WrongKey && hasKey));

    private sealed class Met(long since)
    {
        private int _calls;

        public long Since => since;

        public int Next() => Interlocked.Increment(ref _calls);
    }
}
