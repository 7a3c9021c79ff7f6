using System.Threading.RateLimiting;

namespace LlmPipeline;

/// <summary>
/// Calls at once to a server that has no quota but slows down (vLLM, Ollama): as many as it takes without answering much later. A window of calls that
/// took little longer than the best ones adds a call, or a tenth; one that took twice as long, or was refused, takes a fifth away. What the best time is
/// is measured anew now and then, with half as many calls; and where fewer calls make nothing faster, they are no longer taken for slow.
/// </summary>
internal sealed class LatencyLimiter : PermitLimiter
{
    private const double Unhurried = 1.3;
    private const double Crowded = 2;
    private const double Cut = 0.8;
    private const double Growth = 0.1;
    private const int WindowsBetweenLooks = 30;
    private const int WindowsOfALook = 2;
    private const double Halved = 0.6;
    private const int VainCuts = 4;
    private const int FewestCalls = 8;

    // Of what is not slower by more than this, no server can be called crowded.
    private const double Unnoticed = 0.1;

    private readonly TimeProvider _time;
    private readonly int _most;
    private double _limit;
    private double _best = double.PositiveInfinity;
    private double _sum;
    private int _calls;
    private int _fullest;
    private int _windows;
    private int _looking;
    private double _limitBefore;
    private double _averageBefore;
    private int _cuts;
    private double _beforeCuts;
    private bool _isStarting = true;
    private long _lastCut;

    /// <param name="first">Calls at once to begin with.</param>
    /// <param name="most">Never more than this.</param>
    /// <param name="timeProvider">The clock.</param>
    public LatencyLimiter(int first, int most, TimeProvider timeProvider)
    {
        _limit = first;
        _most = most;
        _time = timeProvider;
        _lastCut = timeProvider.GetTimestamp() - timeProvider.TimestampFrequency;
    }

    /// <summary>Calls at once, now.</summary>
    public int Limit
    {
        get
        {
            lock (Gate)
                return (int)_limit;
        }
    }

    /// <inheritdoc/>
    protected override int Permits => (int)_limit;

    /// <summary>A call took so long, to its whole answer.</summary>
    public void Took(TimeSpan duration)
    {
        lock (Gate)
        {
            _sum += duration.TotalSeconds;
            if (++_calls < Math.Max(FewestCalls, _limit))
                return;
            Judge(_sum / _calls);
            (_sum, _calls, _fullest) = (0, 0, InFlight);
            Serve();
        }
    }

    /// <summary>A call was refused, or timed out.</summary>
    public void Failed()
    {
        lock (Gate)
        {
            // One cut a burst.
            if (_time.GetElapsedTime(_lastCut) < TimeSpan.FromSeconds(1))
                return;
            Reduce();
        }
    }

    /// <inheritdoc/>
    public override RateLimiterStatistics? GetStatistics()
    {
        lock (Gate)
            return new RateLimiterStatistics { CurrentAvailablePermits = Math.Max(0, (int)_limit - InFlight), CurrentQueuedCount = Waiting };
    }

    /// <inheritdoc/>
    protected override void OnGranted() => _fullest = Math.Max(_fullest, InFlight);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Close();
    }

    private void Judge(double average)
    {
        if (_looking > 0)
        {
            // Of the first window some calls began among the many.
            if (--_looking > 0)
                return;
            // Half as many calls in half the time are as many a second: the rest only queued up.
            (_best, _limit, _windows) = (average, average < _averageBefore * Halved ? _limit : _limitBefore, 0);
            return;
        }
        _best = Math.Min(_best, average);
        var isCrowded = average > Math.Max(_best * Crowded, _best + Unnoticed);
        var isUnhurried = average <= Math.Max(_best * Unhurried, _best + Unnoticed);
        if (!isCrowded)
            _cuts = 0;
        else if (_cuts++ == 0)
            _beforeCuts = average;
        if (_cuts > VainCuts && average > _beforeCuts * 0.9)
            (_best, _cuts) = (average, 0);
        else if (isCrowded)
            Reduce();
        // What was not used up says nothing about more.
        else if (isUnhurried && _fullest >= (int)_limit)
            _limit = Math.Min(_most, _isStarting ? _limit * 2 : _limit + Math.Max(1, _limit * Growth));
        _isStarting &= isUnhurried;
        if (++_windows >= WindowsBetweenLooks && !_isStarting)
            (_looking, _averageBefore, _limitBefore, _limit) = (WindowsOfALook, average, _limit, Math.Max(1, _limit / 2));
    }

    private void Reduce()
    {
        _isStarting = false;
        _lastCut = _time.GetTimestamp();
        _limit = Math.Max(1, _limit * Cut);
    }
}
