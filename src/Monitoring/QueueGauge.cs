using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>How many jobs each queue has, by state, as a metric; read from Redis every five seconds. It is what an autoscaler looks at.</summary>
public sealed partial class QueueGauge : IAsyncDisposable
{
    private const int RetiredInOneRead = 20;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly Meter _meter = new("LlmPipeline.PromptQueue");
    private readonly CancellationTokenSource _stop = new();
    private readonly PromptQueue _queue;
    private readonly ILogger _logger;
    private readonly HashSet<string> _uncounted = [];
    private readonly Dictionary<string, long> _retired = [];
    private readonly Task _reading;
    private IReadOnlyList<Measurement<long>> _last = [];
    private int _turn;

    /// <summary>Reads until it is disposed.</summary>
    public QueueGauge(PromptQueue queue, TimeProvider time, ILogger<QueueGauge> logger)
    {
        _queue = queue;
        _logger = logger;
        _meter.CreateObservableGauge("llmpipeline.queue.jobs", () => Volatile.Read(ref _last), "{job}", "Jobs of a queue: waiting, delayed, running (claimed by a worker), dead");
        _reading = ReadAsync(time);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        _meter.Dispose();
        _stop.Dispose();
    }

    private async Task ReadAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                try
                {
                    Volatile.Write(ref _last, await CountAsync().WaitAsync(_stop.Token).ConfigureAwait(false));
                }
                catch (Exception e) when (RedisRetry.MayPass(e))
                {
                    // An old number would be believed.
                    Volatile.Write(ref _last, []);
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task<IReadOnlyList<Measurement<long>>> CountAsync()
    {
        var counts = new List<Measurement<long>>();
        foreach (var queue in await _queue.QueuesAsync().ConfigureAwait(false))
        {
            _retired.Remove(queue);
            if (await StatsAsync(queue).ConfigureAwait(false) is not { } stats)
                continue;
            foreach (var (state, count) in new[] { ("waiting", stats.Waiting), ("delayed", stats.Delayed), ("running", stats.Inflight), ("dead", stats.Dead) })
                counts.Add(new Measurement<long>(count, new("messaging.destination.name", queue), new("llmpipeline.job.state", state)));
        }

        foreach (var (queue, dead) in await DeadOfRetiredAsync().ConfigureAwait(false))
            counts.Add(new Measurement<long>(dead, new("messaging.destination.name", queue), new("llmpipeline.job.state", "dead")));
        return counts;
    }

    // What is retired has at most dead letters, which change only when somebody purges them: some queues are counted at a time.
    private async Task<IEnumerable<KeyValuePair<string, long>>> DeadOfRetiredAsync()
    {
        var queues = await _queue.RetiredQueuesAsync().ConfigureAwait(false);
        foreach (var gone in _retired.Keys.Except(queues).ToList())
            _retired.Remove(gone);
        var next = queues.Where(queue => !_retired.ContainsKey(queue)).Take(RetiredInOneRead)
            .Concat(queues.Skip(_turn).Take(RetiredInOneRead)).Distinct().ToList();
        _turn = _turn + RetiredInOneRead < queues.Count ? _turn + RetiredInOneRead : 0;
        foreach (var queue in next)
            _retired[queue] = (await StatsAsync(queue).ConfigureAwait(false))?.Dead ?? 0;
        return _retired.Where(entry => entry.Value > 0);
    }

    // One of another schema version is left out, and said to be once.
    private async Task<QueueStats?> StatsAsync(string queue)
    {
        try
        {
            return await _queue.StatsAsync(queue).ConfigureAwait(false);
        }
        catch (QueueMismatchException e)
        {
            if (_uncounted.Add(queue))
                LogUncounted(queue, e.Message);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The jobs of {Queue} are not counted: {Reason}")]
    private partial void LogUncounted(string queue, string reason);
}
