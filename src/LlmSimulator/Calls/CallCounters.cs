using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>Counts calls, and calls per job.</summary>
internal sealed class CallCounters(bool countJobs)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _statuses = [];
    private readonly Dictionary<FaultKind, long> _faults = [];
    private readonly Dictionary<string, long> _dialects = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, JobCalls> _jobs = new(StringComparer.Ordinal);
    private long _calls;
    private long _overHttp2;
    private long _completed;
    private long _abandoned;
    private long _tokensIn;
    private long _tokensOut;
    private int _inFlight;
    private int _maxInFlight;

    /// <summary>Every job that called, with its calls and completions.</summary>
    public IEnumerable<KeyValuePair<string, JobCalls>> Jobs => _jobs;

    /// <summary>A call begins; the answer is its job's counter, null for none.</summary>
    public JobCalls? Begin(string? jobId, bool overHttp2)
    {
        lock (_lock)
        {
            _calls++;
            if (overHttp2)
                _overHttp2++;
            _maxInFlight = Math.Max(_maxInFlight, ++_inFlight);
        }
        if (!countJobs || jobId is null)
            return null;
        var job = _jobs.GetOrAdd(jobId, static _ => new JobCalls());
        job.Called();
        return job;
    }

    /// <summary>A call is about to be answered with this status, and is no longer under way.</summary>
    public void Answered(int status)
    {
        lock (_lock)
        {
            Add(_statuses, status, 1);
            _inFlight--;
        }
    }

    /// <summary>A call is over without an answer.</summary>
    public void Ended(bool abandoned)
    {
        lock (_lock)
        {
            _inFlight--;
            if (abandoned)
                _abandoned++;
        }
    }

    /// <summary>A completion is about to be sent to its end, or (−1) could not be after all.</summary>
    public void Completed(JobCalls? job, int tokensIn, int tokensOut, int by = 1)
    {
        job?.Completed(by);
        lock (_lock)
        {
            _completed += by;
            _tokensIn += (long)by * tokensIn;
            _tokensOut += (long)by * tokensOut;
        }
    }

    /// <summary>What <see cref="Answered"/> counted did not reach its client.</summary>
    public void NotSent(int status)
    {
        lock (_lock)
        {
            Add(_statuses, status, -1);
            _abandoned++;
        }
    }

    /// <summary>A call meets a fault.</summary>
    public void Faulted(FaultKind kind)
    {
        lock (_lock)
            Add(_faults, kind, 1);
    }

    /// <summary>A call meets a dialect.</summary>
    public void Played(string dialect)
    {
        lock (_lock)
            Add(_dialects, dialect, 1);
    }

    /// <summary>From zero again; calls under way stay under way, and the rest of what they do is counted.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _calls = _overHttp2 = _completed = _abandoned = _tokensIn = _tokensOut = 0;
            _maxInFlight = _inFlight;
            _statuses.Clear();
            _faults.Clear();
            _dialects.Clear();
            _jobs = new(StringComparer.Ordinal);
        }
    }

    /// <summary>All of it.</summary>
    public SimulatorStats Snapshot()
    {
        var histogram = new SortedDictionary<int, int>();
        var jobs = 0;
        var paidTwice = 0L;
        foreach (var (_, job) in _jobs)
        {
            jobs++;
            paidTwice += Math.Max(0, job.Completions - 1);
            histogram[job.Calls] = histogram.GetValueOrDefault(job.Calls) + 1;
        }
        lock (_lock)
        {
            return new SimulatorStats
            {
                Calls = _calls,
                CallsOverHttp2 = _overHttp2,
                Completed = _completed,
                Abandoned = _abandoned,
                Statuses = new SortedDictionary<int, long>(_statuses),
                Faults = new SortedDictionary<FaultKind, long>(_faults),
                Dialects = new SortedDictionary<string, long>(_dialects, StringComparer.Ordinal),
                InFlight = _inFlight,
                MaxInFlight = _maxInFlight,
                TokensIn = _tokensIn,
                TokensOut = _tokensOut,
                Jobs = jobs,
                PaidTwice = paidTwice,
                CallsPerJob = histogram,
            };
        }
    }

    private static void Add<TKey>(Dictionary<TKey, long> counts, TKey key, long by)
        where TKey : notnull
    {
        var count = counts.GetValueOrDefault(key) + by;
        if (count == 0)
            counts.Remove(key);
        else
            counts[key] = count;
    }
}

/// <summary>What one job has called.</summary>
internal sealed class JobCalls
{
    private int _calls;
    private int _completions;

    /// <summary>Its calls.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Of them, those that ended in a completion.</summary>
    public int Completions => Volatile.Read(ref _completions);

    /// <summary>One call more.</summary>
    public void Called() => Interlocked.Increment(ref _calls);

    /// <summary>One completion more, or less.</summary>
    public void Completed(int by) => Interlocked.Add(ref _completions, by);
}
