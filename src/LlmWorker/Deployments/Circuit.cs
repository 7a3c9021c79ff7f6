using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Leaves a model of an endpoint alone while it is down, so that rows don't spend their attempts on it. It opens when at least 30 jobs
/// failed within 10 s and of no flow more than three tenths of the calls were answered: an endpoint that merely fails every fifth call, or
/// fails one flow of several, never looks like that. The failures of one job count once. It stays open for 1, 2, 4 … 30 s, and then lets
/// one call through to see.
/// </summary>
internal sealed partial class Circuit(string name, TimeProvider time, ILogger logger)
{
    private const double OpeningRatio = 0.7;
    private const int FewestJobs = 30;
    private const int MostFlows = 64;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Flow> _flows = [];
    private bool _isOpen;
    private bool _isProbing;
    private int _breaks;
    private long _opensAt;

    /// <summary>Whether calls pass as usual.</summary>
    public bool IsClosed => !Volatile.Read(ref _isOpen);

    /// <summary>Why it is open; null when it is not.</summary>
    public string? Reason { get; private set; }

    /// <summary>How long until it is worth trying; zero when it is closed or may be probed.</summary>
    public TimeSpan OpenFor =>
        Volatile.Read(ref _isOpen) && Volatile.Read(ref _opensAt) is var at && at > time.GetTimestamp()
            ? time.GetElapsedTime(time.GetTimestamp(), at)
            : TimeSpan.Zero;

    /// <summary>Whether a call may be sent; each that may is ended by one of the other methods.</summary>
    /// <exception cref="CircuitOpenException">It is open: nothing is to be sent.</exception>
    public void Enter()
    {
        lock (_lock)
        {
            if (!_isOpen)
                return;
            if (_isProbing || OpenFor > TimeSpan.Zero)
                throw new CircuitOpenException(OpenFor);
            _isProbing = true;
        }
    }

    /// <summary>A call was answered, well or not.</summary>
    public void Answered(string flow)
    {
        var closed = false;
        lock (_lock)
        {
            if (_isOpen)
                (_isOpen, _isProbing, _breaks, Reason, closed) = (false, false, 0, null, true);
            FlowOf(flow).Answered++;
        }

        if (closed)
            LogClosed(logger, name);
    }

    /// <summary>A call met an endpoint that is down.</summary>
    public void Failed(string flow, string jobId, string reason)
    {
        var opened = false;
        lock (_lock)
        {
            var one = FlowOf(flow);
            if (one.Failed.Count < FewestJobs)
                one.Failed.Add(jobId);
            if (_isOpen ? _isProbing : IsDown())
            {
                OpenNow(reason);
                opened = true;
            }
        }

        if (opened)
            LogOpened(logger, name, Math.Ceiling(OpenFor.TotalSeconds), reason);
    }

    /// <summary>A call ended that says nothing of the endpoint.</summary>
    public void Left()
    {
        lock (_lock)
            _isProbing = false;
    }

    /// <summary>Opens it because of what is known otherwise.</summary>
    public void Open(string reason)
    {
        lock (_lock)
            OpenNow(reason);
        LogOpened(logger, name, Math.Ceiling(OpenFor.TotalSeconds), reason);
    }

    /// <summary>Closes it because an operator says so.</summary>
    public void Close()
    {
        lock (_lock)
        {
            (_isOpen, _isProbing, _breaks, Reason) = (false, false, 0, null);
            _flows.Clear();
        }
    }

    internal static TimeSpan BreakAfter(int breaks) => TimeSpan.FromSeconds(Math.Min(Math.Pow(2, breaks), LongestBreak.TotalSeconds));

    private void OpenNow(string reason)
    {
        _flows.Clear();
        (_isProbing, Reason) = (false, reason);
        Volatile.Write(ref _opensAt, time.GetTimestamp() + (long)(BreakAfter(_breaks++).TotalSeconds * time.TimestampFrequency));
        Volatile.Write(ref _isOpen, true);
    }

    private bool IsDown()
    {
        var failed = 0;
        foreach (var flow in _flows.Values.Where(one => time.GetElapsedTime(one.Since) <= Window))
        {
            failed += flow.Failed.Count;
            if (flow.Failed.Count < OpeningRatio * (flow.Failed.Count + flow.Answered))
                return false;
        }

        return failed >= FewestJobs;
    }

    // A window begins anew when it is over. Flows beyond the bound share one.
    private Flow FlowOf(string flow)
    {
        if (!_flows.TryGetValue(flow, out var one))
        {
            if (_flows.Count >= MostFlows)
            {
                foreach (var old in _flows.Where(pair => time.GetElapsedTime(pair.Value.Since) > Window).Select(pair => pair.Key).ToList())
                    _flows.Remove(old);
            }

            var key = _flows.Count >= MostFlows ? "" : flow;
            if (!_flows.TryGetValue(key, out one))
                _flows.Add(key, one = new Flow { Since = time.GetTimestamp() });
        }

        if (time.GetElapsedTime(one.Since) > Window)
        {
            one.Since = time.GetTimestamp();
            one.Answered = 0;
            one.Failed.Clear();
        }

        return one;
    }

    [LoggerMessage(LogLevel.Warning, "{Deployment} keeps failing and is left alone for {Seconds} s: {Reason}")]
    private static partial void LogOpened(ILogger logger, string deployment, double seconds, string reason);

    [LoggerMessage(LogLevel.Information, "{Deployment} answers again")]
    private static partial void LogClosed(ILogger logger, string deployment);

    private sealed class Flow
    {
        public long Since { get; set; }

        public int Answered { get; set; }

        public HashSet<string> Failed { get; } = [];
    }
}
