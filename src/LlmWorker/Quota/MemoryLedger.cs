namespace LlmPipeline;

/// <summary>
/// The quota of a process that has its deployment to itself. The rules are those of Scripts/reserve.lua and settle.lua, line by line.
/// Not safe for threads; the limiter calls it one at a time.
/// </summary>
internal sealed class MemoryLedger(TimeProvider timeProvider) : IQuotaLedger
{
    private const int Kinds = 2;

    private readonly long _start = timeProvider.GetTimestamp();
    private readonly double[,] _slots = new double[Kinds, QuotaRules.Slots];
    private readonly double[] _sum = new double[Kinds];
    private readonly double[] _level = new double[Kinds];
    private readonly double[] _others = new double[Kinds];
    private readonly double[] _othersAt = new double[Kinds];
    private readonly double[] _limitBefore = new double[Kinds];
    private readonly double[] _learned = new double[Kinds];
    private bool _guessed;
    private double _gate;
    private bool _probes;
    private double _cutAt = double.NegativeInfinity;
    private double _failed = 1;
    private long _first;
    private double _at;

    public bool IsLocal => true;

    public ValueTask<QuotaAnswer> ExchangeAsync(LedgerUpdate? update, QuotaAsk ask)
    {
        var now = timeProvider.GetElapsedTime(_start).TotalMilliseconds;
        var slot = (long)(now / QuotaRules.SlotLength);
        if (update is not null)
            Book(update, now);
        Trim(slot);
        var rate = new double[Kinds];
        var use = new double[Kinds];
        var second = new double[Kinds];
        for (var kind = 0; kind < Kinds; kind++)
        {
            use[kind] = _sum[kind] + Math.Floor(Others(kind, ask, now));
            rate[kind] = QuotaRules.Rate(ask.Limits[kind], use[kind], Next(kind, ask));
            _level[kind] = ask.Limits[kind] <= 0 ? 0 : Math.Min(QuotaRules.Burst(ask.Limits[kind]), _level[kind] + (rate[kind] * (now - _at)));
            for (var s = Math.Max(_first, slot - QuotaRules.SlotsOfASecond + 1); s <= slot; s++)
                second[kind] += _slots[kind, s % QuotaRules.Slots];
        }
        _at = now;
        var wait = Math.Max(0, _gate - now);
        var granted = 0;
        while (wait <= 0 && granted < ask.Calls.Count)
        {
            var (reserve, pace) = ask.Calls[granted];
            for (var kind = 0; kind < Kinds; kind++)
                if (ask.Limits[kind] > 0)
                    wait = Math.Max(wait, QuotaRules.Wait(ask.Limits[kind], rate[kind], use[kind], second[kind], _level[kind], kind == 0 ? 1 : reserve));
            if (wait > 0)
                break;
            for (var kind = 0; kind < Kinds; kind++)
            {
                var take = kind == 0 ? 1 : reserve;
                _slots[kind, slot % QuotaRules.Slots] += take;
                _sum[kind] += take;
                use[kind] += take;
                second[kind] += take;
                _level[kind] -= kind == 0 ? 1 : pace;
            }
            granted++;
            if (!_probes)
                continue;
            // Alone, until its answer opens the gate or closes it again; or none comes.
            _gate = now + QuotaRules.ProbeLength;
            wait = QuotaRules.ProbeLength;
        }
        return ValueTask.FromResult(new QuotaAnswer
        {
            Granted = granted,
            Wait = TimeSpan.FromMilliseconds(wait),
            Slot = slot,
            Gate = TimeSpan.FromMilliseconds(Math.Max(0, _gate - now)),
            IsProbing = _probes,
            Used = new QuotaAmount(use[0], use[1]),
            Level = new QuotaAmount(_level[0], _level[1]),
            Learned = new QuotaAmount(_learned[0], _learned[1]),
            Guessed = _guessed,
            SinceCut = double.IsNegativeInfinity(_cutAt) ? null : TimeSpan.FromMilliseconds(now - _cutAt),
            Failed = _failed,
            Age = TimeSpan.FromMilliseconds(now),
        });
    }

    private void Book(LedgerUpdate update, double now)
    {
        if (update.LearnedRequests is { } requests)
            (_learned[0], _guessed) = (requests, update.Guessed);
        _learned[1] = update.LearnedTokens ?? _learned[1];
        // Refusals of calls that were under way when the gate closed, or just after, tell nothing new: one cut a burst.
        if (update.Failed is { } failed && now >= _gate && now >= _cutAt + QuotaRules.BurstOfErrors)
            (_cutAt, _failed) = (now, failed);
        if (update.Opens)
            (_gate, _probes) = (now, false);
        if (now + update.Gate.TotalMilliseconds > _gate)
            (_gate, _probes) = (now + update.Gate.TotalMilliseconds, update.Gate > TimeSpan.Zero ? update.Probes : _probes);
        foreach (var settled in update.Settlements)
        {
            if (settled.Slot >= _first)
            {
                _slots[0, settled.Slot % QuotaRules.Slots] += settled.Requests;
                _slots[1, settled.Slot % QuotaRules.Slots] += settled.Tokens;
                _sum[0] += settled.Requests;
                _sum[1] += settled.Tokens;
            }
            _level[0] -= settled.Requests;
            _level[1] -= settled.Pace;
        }
    }

    private void Trim(long slot)
    {
        for (var old = _first; old <= Math.Min(slot - QuotaRules.Slots, _first + QuotaRules.Slots - 1); old++)
            for (var kind = 0; kind < Kinds; kind++)
            {
                _sum[kind] -= _slots[kind, old % QuotaRules.Slots];
                _slots[kind, old % QuotaRules.Slots] = 0;
            }
        _first = Math.Max(_first, slot - QuotaRules.Slots + 1);
    }

    private static double Next(int kind, QuotaAsk ask) => kind == 0 ? 1 : ask.Calls.Count > 0 ? ask.Calls[0].Reserve : 0;

    private double Others(int kind, QuotaAsk ask, double now)
    {
        var limit = ask.Limits[kind];
        var others = _others[kind] * Math.Max(0, 1 - ((now - _othersAt[kind]) / QuotaRules.WindowLength));
        var seen = ask.Judged[kind] > _sum[kind] + others + (limit * QuotaRules.Tolerance) ? ask.Judged[kind] - _sum[kind] : 0;
        if (_limitBefore[kind] <= 0)
            seen = QuotaRules.BeforeUs(limit, Next(kind, ask)) - _sum[kind];
        if (limit > 0 && seen > others)
            (others, _others[kind], _othersAt[kind]) = (seen, seen, now);
        _limitBefore[kind] = limit;
        return others;
    }
}
