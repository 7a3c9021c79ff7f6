using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// The workers of one process: one for each queue that it was given, which share slots, leases and the LLM. Start it once, stop it once.
/// </summary>
public sealed class WorkerProcess : IAsyncDisposable
{
    private readonly PromptQueue _queue;
    private readonly RedisConnections _redis;
    private readonly ILoggerFactory _loggers;
    private readonly WorkerParts _parts;
    private readonly LeaseKeeper _leases;
    private readonly Settler _settler;
    private readonly List<Worker> _workers = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly TaskCompletionSource<string> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reclaimer = Task.CompletedTask;
    private bool _stopped;

    /// <summary>Workers on the Redis of <paramref name="redis"/>, which call the LLM through <paramref name="caller"/>.</summary>
    public WorkerProcess(
        RedisConnections redis, PromptQueue queue, ResultStore results, LlmCaller caller, WorkerOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(queue);
        ArgumentNullException.ThrowIfNull(options);
        _redis = redis;
        _queue = queue;
        _loggers = loggers;
        _leases = new LeaseKeeper(queue.Options, options, time, loggers.CreateLogger<LeaseKeeper>());
        _settler = new Settler(time, loggers.CreateLogger<Settler>());
        _parts = new WorkerParts
        {
            Redis = redis,
            Results = results,
            Caller = caller,
            Leases = _leases,
            Runner = new JobRunner(caller, results, _leases, _settler, options, time, loggers.CreateLogger<JobRunner>()),
            Slots = new Slots(options.Concurrency),
            Options = options,
            Time = time,
            GiveUp = _giveUp.Token,
        };
    }

    /// <summary>Raised when jobs of this process have ended, or wait again.</summary>
    public event Action? Settled
    {
        add => _settler.Settled += value;
        remove => _settler.Settled -= value;
    }

    /// <summary>Jobs that run now.</summary>
    public int InFlight => _parts.Leases.Count;

    /// <summary>Ends, with the reason, when a queue of this process has no deployment left; fails when its worker cannot go on.</summary>
    public Task<string> Closed => _closed.Task;

    /// <summary>Starts the workers of <paramref name="queues"/>.</summary>
    public async Task StartAsync(IEnumerable<string> queues, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queues);
        var partitions = new List<QueuePartition>();
        foreach (var queue in queues)
        {
            var own = await _queue.PartitionsAsync(queue).ConfigureAwait(false);
            partitions.AddRange(own);
            var worker = new Worker(queue, own, _parts, _loggers.CreateLogger<Worker>());
            _workers.Add(worker);
        }

        _leases.Start();
        _reclaimer = new Reclaimer(_redis, partitions, _queue.Options, _parts.Options, _parts.Time, _loggers.CreateLogger<Reclaimer>()).RunAsync(_stop.Token);
        foreach (var worker in _workers)
        {
            await worker.StartAsync(cancellationToken).ConfigureAwait(false);
            _parts.Track(WatchAsync(worker));
        }
    }

    /// <summary>
    /// Stops claiming, waits for what runs up to <see cref="WorkerOptions.DrainTimeout"/>, then stops that too and gives it back uncharged.
    /// </summary>
    /// <param name="atOnce">Ends the wait early: what runs is stopped and given back then.</param>
    public async Task StopAsync(CancellationToken atOnce = default)
    {
        if (_stopped)
            return;
        _stopped = true;
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (var worker in _workers)
            await worker.StopAsync(CancellationToken.None).ConfigureAwait(false);
        await _reclaimer.ConfigureAwait(false);
        var idle = _parts.IdleAsync();
        if (!await EndsAsync(idle, _parts.Options.DrainTimeout, atOnce).ConfigureAwait(false))
        {
            foreach (var job in _leases.All())
                job.Stop();
            // Redis has this long to take back what was stopped.
            if (!await EndsAsync(idle, TimeSpan.FromSeconds(5), CancellationToken.None).ConfigureAwait(false))
            {
                await _giveUp.CancelAsync().ConfigureAwait(false);
                _settler.Abandon();
                await idle.ConfigureAwait(false);
            }
        }

        await _settler.DisposeAsync().ConfigureAwait(false);
        await _leases.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        foreach (var worker in _workers)
            worker.Dispose();
        _stop.Dispose();
        _giveUp.Dispose();
    }

    private async Task WatchAsync(Worker worker)
    {
        try
        {
            await worker.ExecuteTask!.ConfigureAwait(false);
            if (worker.ClosedReason is { } reason)
                _closed.TrySetResult(reason);
        }
        catch (Exception e)
        {
            _closed.TrySetException(e);
        }
    }

    private async Task<bool> EndsAsync(Task work, TimeSpan patience, CancellationToken atOnce)
    {
        try
        {
            await work.WaitAsync(patience, _parts.Time, atOnce).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }
}
