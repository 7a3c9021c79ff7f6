using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The part that trades with the ledger: one exchange at a time.</summary>
internal sealed partial class RequestTokenLimiter
{
    // Where nothing is known yet of how large calls are.
    private const double FirstGuess = 500;

    // What a completion without max_tokens has cost the provider knows a moment before we do.
    private const double SafeTokens = 0.997;

    // Less than that is how clocks are kept right.
    private static readonly TimeSpan LeastStep = TimeSpan.FromSeconds(1);

    private double AverageTokens { get; set; } = FirstGuess;

    private double SecondsSinceLast => _time.GetElapsedTime(_lastAt).TotalSeconds;

    // Whatever happens, a waiter that came, a call that was settled, the timer, ends up here; whoever finds an exchange under way leaves the rest to it.
    private void Turn()
    {
        lock (_lock)
        {
            if (_exchanging || _disposed)
                return;
            if (Due() is var due && due > TimeSpan.Zero)
            {
                Schedule(due);
                return;
            }
            _exchanging = true;
        }
        _ = RunAsync();
    }

    private async Task RunAsync()
    {
        while (true)
        {
            QuotaAsk ask;
            LedgerUpdate? update;
            List<LinkedListNode<Waiter>> asking;
            lock (_lock)
            {
                var due = Due();
                if (due > TimeSpan.Zero || _disposed)
                {
                    _exchanging = false;
                    Schedule(due);
                    return;
                }
                _looks = false;
                update = _pending.Take();
                asking = Asking();
                ask = Ask(asking);
            }
            try
            {
                Heard(asking, await _ledger.ExchangeAsync(update, ask));
            }
            catch (Exception e) when (RedisRetry.MayPass(e))
            {
                Missed(update, e);
            }
            catch (Exception e)
            {
                // Whoever waits must learn of it; what comes later tries anew.
                Broken(asking, e);
            }
        }
    }

    // How long until an exchange makes sense; MaxValue for not before something happens.
    private TimeSpan Due()
    {
        if (!_pending.IsUrgent && _pending.IsEmpty && _waiters.Count == 0 && !_looks)
            return TimeSpan.MaxValue;
        var now = _time.GetTimestamp();
        var untilTry = _nextTry > now ? _time.GetElapsedTime(now, _nextTry) : TimeSpan.Zero;
        // Nothing is asked of a ledger that is away before its pause is over.
        if (_failures > 0)
            return untilTry;
        if (_pending.IsUrgent || (_ledger.IsLocal && !_pending.IsEmpty))
            return TimeSpan.Zero;
        // All that one exchange may ask for has passed: who waits behind these need not wait for the next block.
        if (_ledger.IsLocal || (_last.Granted == MostCalls && _waiters.Count > 0))
            return untilTry;
        var block = Block - _time.GetElapsedTime(_lastAt, now) is var rest && rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
        return _pending.IsEmpty && !_looks && untilTry > block ? untilTry : block;
    }

    // Rounded up to a whole millisecond: a timer that fires early would only be set again.
    private void Schedule(TimeSpan due)
    {
        if (!_disposed)
            _timer.Change(due == TimeSpan.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(due.TotalMilliseconds), 1, int.MaxValue)), Timeout.InfiniteTimeSpan);
    }

    private List<LinkedListNode<Waiter>> Asking()
    {
        var asking = new List<LinkedListNode<Waiter>>();
        for (var node = _waiters.First; node is not null && asking.Count < MostCalls; node = node.Next)
            asking.Add(node);
        return asking;
    }

    private QuotaAsk Ask(List<LinkedListNode<Waiter>> asking)
    {
        var ask = new QuotaAsk(Safe(), _judged, _waiters.Count, asking.ConvertAll(static node => (node.Value.Estimate.Reserve, node.Value.Estimate.Pace)));
        _judged = QuotaAsk.Unknown;
        return ask;
    }

    private void Heard(List<LinkedListNode<Waiter>> asking, QuotaAnswer answer)
    {
        var served = new List<(Waiter Waiter, RequestTokenLease Lease)>();
        var changed = false;
        lock (_lock)
        {
            // What was old is news to whoever waits for room.
            changed = _time.GetElapsedTime(_lastAt) > LongestPause || answer.Learned != _last.Learned || (_last.Gate > TimeSpan.Zero && answer.Gate == TimeSpan.Zero);
            (_last, _lastAt) = (answer, _time.GetTimestamp());
            // Not the same question again at the same time: a wait may round to none.
            _nextTry = _lastAt + (long)(Math.Max(0.001, answer.Wait.TotalSeconds) * _time.TimestampFrequency);
            if (_failures > 0)
                LogBack(_logger, _failures);
            if (answer.SteppedBack >= LeastStep)
            {
                WorkerTelemetry.ClockSteps.Add(1);
                LogSteppedBack(_logger, answer.SteppedBack.TotalSeconds);
            }
            _failures = 0;
            _probes |= answer is { IsProbing: true, Granted: > 0 };
            foreach (var node in asking.Take(answer.Granted))
            {
                if (node.List is null)
                {
                    // It went away meanwhile; what it got goes back.
                    _pending.Add(new QuotaSettlement(answer.Slot, -1, -node.Value.Estimate.Reserve, -node.Value.Estimate.Pace));
                    continue;
                }
                _waiters.Remove(node);
                served.Add((node.Value, Grant(answer.Slot, node.Value.Estimate)));
            }
            _freeUntil = IsFree() ? _lastAt + (long)(Block.TotalSeconds * _time.TimestampFrequency) : 0;
            while (_freeUntil > 0 && _waiters.First is { } free)
            {
                _waiters.RemoveFirst();
                served.Add((free.Value, PassUnasked(free.Value.Estimate)));
            }
            if (answer.Granted == asking.Count && _waiters.Count > 0)
                _nextTry = _lastAt;
            while (answer.Gate > _maxInlineWait && _waiters.First is { } first)
            {
                _waiters.RemoveFirst();
                _refused++;
                served.Add((first.Value, new RequestTokenLease(answer.Gate)));
            }
        }
        foreach (var (waiter, lease) in served)
            waiter.TrySetResult(lease);
        if (changed)
            Changed?.Invoke();
    }

    // Where a fleet knows no limit there is nothing to ask for: calls pass, and are told of with the next exchange. That goes for one block; what this worker
    // has heard and not told yet ends it.
    private bool IsFree() => !_ledger.IsLocal && !_pending.IsUrgent && _last.Wait == TimeSpan.Zero && InForce().IsNone;

    private RequestTokenLease PassUnasked(TokenEstimate estimate)
    {
        _pending.Add(new QuotaSettlement(_last.Slot, 1, estimate.Reserve, estimate.Pace));
        return Grant(_last.Slot, estimate);
    }

    private RequestTokenLease Grant(long slot, TokenEstimate estimate)
    {
        _granted++;
        _lastUsed = _time.GetTimestamp();
        return new RequestTokenLease(this, slot, _sporadic.Send(), estimate);
    }

    private void Missed(LedgerUpdate? update, Exception e)
    {
        lock (_lock)
        {
            if (update is not null)
                _pending.Restore(update);
            if (_failures++ == 0)
                LogAway(_logger, e.Message);
            var pause = TimeSpan.FromMilliseconds(Math.Min(LongestPause.TotalMilliseconds, 50 * Math.Pow(2, Math.Min(_failures - 1, 8))));
            _nextTry = _time.GetTimestamp() + (long)(pause.TotalSeconds * _time.TimestampFrequency);
        }
    }

    private void Broken(List<LinkedListNode<Waiter>> asking, Exception e)
    {
        lock (_lock)
        {
            LogBroken(_logger, e);
            // Not at once again: the fault is not one that passes by itself.
            _nextTry = _time.GetTimestamp() + _time.TimestampFrequency;
            foreach (var node in asking.Where(node => node.List is not null))
                _waiters.Remove(node);
        }
        foreach (var node in asking)
            node.Value.TrySetException(e);
    }

    private void Leave(LinkedListNode<Waiter> place, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (place.List is null)
                return;
            if (_waiters.First == place)
                _nextTry = Math.Min(_nextTry, _time.GetTimestamp());
            _waiters.Remove(place);
        }
        place.Value.TrySetCanceled(cancellationToken);
        Turn();
    }

    private QuotaAmount InForce() => _learner.InForce(_last.Learned, Share());

    private QuotaAmount Safe()
    {
        var limits = InForce();
        return limits with { Tokens = limits.Tokens * SafeTokens };
    }

    private double Share() => QuotaShare.After(_last.Failed, _last.SinceCut + _time.GetElapsedTime(_lastAt), _last.Guessed);

    private TimeSpan GateWait() => _last.Gate - _time.GetElapsedTime(_lastAt) is var wait && wait > TimeSpan.Zero ? wait : TimeSpan.Zero;

    // The fleet's ledger is asked only where what is known of it is old: with no call waiting, nobody else would ask.
    private void Look()
    {
        QuotaAsk look;
        lock (_lock)
        {
            if (!_ledger.IsLocal)
            {
                _looks = _time.GetElapsedTime(_lastAt) > LongestPause;
                if (_looks)
                    Turn();
                return;
            }
            if (_exchanging || _disposed)
                return;
            _exchanging = true;
            look = new QuotaAsk(Safe(), QuotaAsk.Unknown, 0, []);
        }
        // It answers at once.
        var answer = _ledger.ExchangeAsync(null, look).GetAwaiter().GetResult();
        lock (_lock)
        {
            (_last, _lastAt) = (answer, _time.GetTimestamp());
            _exchanging = false;
        }
        Turn();
    }

    private double RoomOf(double limit, int kind, double each, TimeSpan horizon)
    {
        if (limit <= 0)
            return double.PositiveInfinity;
        var flow = limit / 60 * (SecondsSinceLast + horizon.TotalSeconds);
        var level = Math.Min(QuotaRules.Burst(limit), _last.Level[kind] + (limit / 60 * SecondsSinceLast)) + (limit / 60 * horizon.TotalSeconds);
        var window = limit - _last.Used[kind] + flow;
        // Whoever finds the level above zero passes.
        return level < 0 || window < Math.Min(each, limit) ? 0 : Math.Max(1, Math.Min(Math.Ceiling(level / each), Math.Floor(window / each)));
    }

    private double UntilRoomOf(double limit, int kind, double ahead)
    {
        if (limit <= 0)
            return 0;
        var each = kind == 0 ? 1 : AverageTokens;
        var level = ahead - _last.Level[kind];
        var window = Math.Min(ahead + each, limit) - (limit - _last.Used[kind]);
        return (Math.Max(level, window) * 60 / limit) - SecondsSinceLast;
    }

    [LoggerMessage(LogLevel.Warning, "The fleet's quota cannot be asked ({Reason}); calls wait until it can")]
    private static partial void LogAway(ILogger logger, string reason);

    [LoggerMessage(LogLevel.Information, "The fleet's quota answers again, after {Failures} tries")]
    private static partial void LogBack(ILogger logger, int failures);

    [LoggerMessage(LogLevel.Warning, "The clock of Redis has stepped back by {Seconds} s; the times of the fleet's quota go on from the latest one")]
    private static partial void LogSteppedBack(ILogger logger, double seconds);

    [LoggerMessage(LogLevel.Error, "The quota cannot be kept")]
    private static partial void LogBroken(ILogger logger, Exception e);
}
