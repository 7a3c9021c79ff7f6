namespace LlmPipeline;

/// <summary>What has gone through a deployment: in total and over the last 60 s, by the second.</summary>
internal sealed class DeploymentCounters(TimeProvider timeProvider)
{
    private const int Seconds = 60;

    private readonly Lock _lock = new();
    private readonly (long Second, long Calls, long Input, long Output)[] _ring = new (long, long, long, long)[Seconds];
    private long _calls;
    private long _input;
    private long _output;
    private long? _nanos;

    public void Sent() => Add(1, default);

    /// <param name="usage">The tokens of a call.</param>
    /// <param name="nanos">What they cost; null when that is not known.</param>
    public void Used(TokenUsage usage, long? nanos)
    {
        Add(0, usage);
        if (nanos is null)
            return;
        lock (_lock)
            _nanos = (_nanos ?? 0) + nanos;
    }

    /// <summary>What its calls have cost so far; null when no price is known.</summary>
    public long? Nanos
    {
        get
        {
            lock (_lock)
                return _nanos;
        }
    }

    public (long Calls, long Input, long Output) Total
    {
        get
        {
            lock (_lock)
                return (_calls, _input, _output);
        }
    }

    public (long Calls, long Input, long Output) LastMinute
    {
        get
        {
            var now = Now();
            lock (_lock)
            {
                (long Calls, long Input, long Output) sum = default;
                foreach (var slot in _ring)
                    if (slot.Second > now - Seconds)
                        sum = (sum.Calls + slot.Calls, sum.Input + slot.Input, sum.Output + slot.Output);
                return sum;
            }
        }
    }

    private void Add(long calls, TokenUsage usage)
    {
        var now = Now();
        lock (_lock)
        {
            _calls += calls;
            _input += usage.Input;
            _output += usage.Output;
            ref var slot = ref _ring[now % Seconds];
            if (slot.Second != now)
                slot = (now, 0, 0, 0);
            slot = (now, slot.Calls + calls, slot.Input + usage.Input, slot.Output + usage.Output);
        }
    }

    // Counted from 1, so that an untouched slot is never of the last minute.
    private long Now() => (timeProvider.GetTimestamp() / timeProvider.TimestampFrequency) + Seconds + 1;
}
