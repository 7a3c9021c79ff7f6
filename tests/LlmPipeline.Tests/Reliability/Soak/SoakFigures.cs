using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>What a soak has seen.</summary>
internal sealed class SoakFigures
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, int> _faults = [];
    private readonly List<double> _recoveries = [];
    private readonly List<double> _pickUps = [];
    private readonly List<(double Redis, double Worker)> _memory = [];
    private CancellationTokenSource _flush = new();
    private long _ended;
    private int _flushes;

    /// <summary>Changes when Redis loses everything.</summary>
    public int Flushes => Volatile.Read(ref _flushes);

    /// <summary>Cancelled when Redis next loses everything.</summary>
    public CancellationToken NextFlush => Volatile.Read(ref _flush).Token;

    /// <summary>The most calls that may have been paid twice.</summary>
    public long InFlightAtFaults { get; private set; }

    public void Ended(int rows)
    {
        lock (_lock)
            _ended += rows;
    }

    public void Fault(string name)
    {
        lock (_lock)
            _faults[name] = _faults.GetValueOrDefault(name) + 1;
    }

    public void MayBePaidTwice(int calls)
    {
        lock (_lock)
            InFlightAtFaults += calls;
    }

    /// <summary>Redis loses everything: what is unfinished is submitted again.</summary>
    public void CountFlush()
    {
        Interlocked.Increment(ref _flushes);
        Interlocked.Exchange(ref _flush, new CancellationTokenSource()).Cancel();
    }

    public void Recovered(TimeSpan time)
    {
        lock (_lock)
            _recoveries.Add(time.TotalSeconds);
    }

    public void PickedUp(JobResult result)
    {
        Assert.Equal(ResultStatus.Completed, result.Status);
        lock (_lock)
        {
            _ended++;
            _pickUps.Add((result.Meta.Started - result.Meta.Enqueued) / 1000.0);
        }
    }

    /// <summary>Notes the memory of Redis and of the first worker, MB, every 2 s.</summary>
    public async Task WatchMemoryAsync(TestFleet fleet, SoakWorkers workers, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(2000, CancellationToken.None);
            var info = (string)(await RedisRetry.UntilAnsweredAsync(() => fleet.TellRedisAsync("INFO", "memory"), TimeProvider.System, null, CancellationToken.None))!;
            var used = info.Split('\n').First(line => line.StartsWith("used_memory:", StringComparison.Ordinal)).Split(':')[1];
            lock (_lock)
                _memory.Add((double.Parse(used, CultureInfo.InvariantCulture) / 1e6, workers[0].ResidentBytes / 1e6));
        }
    }

    /// <summary>Memory in the last quarter is what it was in the second.</summary>
    public void AssertFlat()
    {
        var quarter = _memory.Count / 4;
        foreach (var (name, of, slack) in new (string, Func<(double Redis, double Worker), double>, double)[] { ("Redis", m => m.Redis, 5), ("the worker", m => m.Worker, 20) })
        {
            var (then, now) = (Percentile(_memory.Skip(quarter).Take(quarter).Select(of), 50), Percentile(_memory.TakeLast(quarter).Select(of), 50));
            Assert.True(now <= (1.15 * then) + slack, $"{name} had {then:0.0} MB in the second quarter and {now:0.0} MB in the last");
        }
    }

    public string Report(TimeSpan duration, long paidTwice)
    {
        var report = new StringBuilder();
        report.AppendLine(CultureInfo.InvariantCulture, $"{duration.TotalMinutes:0.#} min, {_ended} jobs ended, {_ended / duration.TotalSeconds:0}/s, none lost");
        report.AppendLine(CultureInfo.InvariantCulture, $"{_faults.Values.Sum()} faults: {string.Join(", ", _faults.Select(f => $"{f.Value} {f.Key}"))}");
        report.AppendLine(CultureInfo.InvariantCulture, $"paid twice: {paidTwice} ({1e6 * paidTwice / Math.Max(1, _ended):0} per million jobs; in flight at the faults: up to {InFlightAtFaults})");
        report.AppendLine(CultureInfo.InvariantCulture, $"a killed worker's jobs are taken back after: p50 {Percentile(_recoveries, 50):0.0} s, p99 {Percentile(_recoveries, 99):0.0} s, of {_recoveries.Count}");
        report.AppendLine(CultureInfo.InvariantCulture, $"pick-up of a job in the high lane, faults included: p50 {1000 * Percentile(_pickUps, 50):0} ms, p99 {1000 * Percentile(_pickUps, 99):0} ms, of {_pickUps.Count}");
        report.Append(CultureInfo.InvariantCulture, $"memory at the end: Redis {_memory.LastOrDefault().Redis:0.0} MB, a worker {_memory.LastOrDefault().Worker:0} MB");
        return report.ToString();
    }

    private static double Percentile(IEnumerable<double> values, int percent)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, sorted.Count * percent / 100)];
    }
}
