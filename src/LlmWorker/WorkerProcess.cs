using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// The workers of one process: one for each queue that it was given, which share slots, leases and the LLM. Start it once, stop it once.
/// </summary>
public sealed class WorkerProcess : IAsyncDisposable
{
    private readonly PromptQueue _queue;
    private readonly RedisConnections _redis;
    private readonly WorkerParts _parts;
    private readonly ClaimGate _gate;
    private readonly LeaseKeeper _leases;
    private readonly ResultWriter _writer;
    private readonly Settler _settler;
    private readonly SimulatedBatches _simulated;
    private readonly ServedQueues _served;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _serving = Task.CompletedTask;
    private bool _stopped;

    /// <summary>Workers on the Redis of <paramref name="redis"/>, which call the LLM through <paramref name="caller"/>.</summary>
    public WorkerProcess(
        RedisConnections redis, PromptQueue queue, ResultStore results, ILlmCaller caller, WorkerOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(queue);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(caller);
        // A worker has nothing else to do than to wait for its Redis.
        _gate = new ClaimGate(options, Needs, time, loggers.CreateLogger<ClaimGate>());
        _redis = redis.With(RedisPatience.UntilAnswered, _gate.Deny);
        _queue = new PromptQueue(_redis, queue.Options, time);
        var logger = loggers.CreateLogger<WorkerProcess>();
        _leases = new LeaseKeeper(_redis.Restored, queue.Options, options, time, loggers.CreateLogger<LeaseKeeper>());
        _settler = new Settler(time, loggers.CreateLogger<Settler>(), _giveUp.Token);
        results = new ResultStore(_redis, results.Options, time);
        // It has a loop of its own, which tells an answer that is refused from a Redis that is away.
        _writer = new ResultWriter(new ResultStore(_redis.Once, results.Options, time), _settler, time, loggers.CreateLogger<ResultWriter>(), _giveUp.Token);
        _parts = new WorkerParts
        {
            Redis = _redis,
            Results = results,
            Caller = caller,
            Leases = _leases,
            Gate = _gate,
            Runner = new JobRunner(caller, results, _leases, _writer, _settler, options, time, loggers.CreateLogger<JobRunner>()),
            Slots = new Slots(options.Concurrency, time, caller.LargeAnswers),
            Options = options,
            Time = time,
            GiveUp = _giveUp.Token,
        };
        _served = new ServedQueues(_queue, _parts, loggers, _failed, _stop.Token);
        _simulated = new SimulatedBatches(_queue.Batches, _parts.Running, time, logger, _giveUp.Token);
        _writer.Completed += _simulated.Note;
    }

    /// <summary>Raised when jobs of this process have ended, or wait again.</summary>
    public event Action? Settled
    {
        add => _settler.Settled += value;
        remove => _settler.Settled -= value;
    }

    /// <summary>Raised for each completion that this process has stored and that stands, before its job is settled: for a reader in the same process, which need not fetch it.</summary>
    public event Action<JobResult>? Completed
    {
        add => _writer.Completed += value;
        remove => _writer.Completed -= value;
    }

    /// <summary>
    /// Raised for each completion that Redis refuses for good, for its size: its job ends as failed with
    /// <see cref="ResultError.AnswerNotStorable"/> on Redis. For a reader in the same process, which can keep it elsewhere.
    /// </summary>
    public event Action<JobResult>? CompletedUnstored
    {
        add => _writer.CompletedUnstored += value;
        remove => _writer.CompletedUnstored -= value;
    }

    /// <summary>Jobs that run now.</summary>
    public int InFlight => _parts.Leases.Count;

    /// <summary>Ends, with the exception, when this process cannot go on.</summary>
    public Task Failed => _failed.Task;

    /// <summary>
    /// Starts workers of the given queues. One of another schema version, or with other partitions, ends <see cref="Failed"/>.
    /// </summary>
    public Task StartAsync(IEnumerable<string> queues, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queues);
        return StartAsync(queues.Select(queue => KeyValuePair.Create(queue, queue)), cancellationToken);
    }

    /// <summary>Starts workers of the given queues, such as a run's private ones. Failures as for the other overload.</summary>
    /// <param name="queues">Queue → the model of its jobs.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public async Task StartAsync(IEnumerable<KeyValuePair<string, string>> queues, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queues);
        _leases.Start();
        _gate.Start(_redis);
        foreach (var (queue, model) in queues)
            await _served.StartAsync(queue, model, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Starts a worker of every queue that a deployment serves, and of each new one within a second, and retires those without jobs. Returns
    /// at once; failures end <see cref="Failed"/>. A queue of another schema version is refused, with an error in the log, and the others are
    /// served; it is served when it has become right.
    /// </summary>
    public void ServeAll()
    {
        _leases.Start();
        _gate.Start(_redis);
        _serving = _served.ServeAllAsync();
    }

    /// <summary>
    /// Stops claiming, waits for what runs, then stops that too and gives it back uncharged.
    /// </summary>
    /// <param name="atOnce">Ends the wait early: what runs is stopped and given back then.</param>
    /// <param name="patience">How long the wait may be; <see cref="WorkerOptions.DrainTimeout"/> when it is null.</param>
    public async Task StopAsync(CancellationToken atOnce = default, TimeSpan? patience = null)
    {
        if (_stopped)
            return;
        _stopped = true;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _serving.ConfigureAwait(false);
        await _served.StopAsync().ConfigureAwait(false);
        _parts.Slots.Close();
        var idle = _parts.Running.IdleAsync();
        if (!await EndsAsync(idle, patience ?? _parts.Options.DrainTimeout, atOnce).ConfigureAwait(false))
        {
            foreach (var job in _leases.All())
                job.Stop();
            // Redis has this long to take back what was stopped.
            if (!await EndsAsync(idle, TimeSpan.FromSeconds(5), CancellationToken.None).ConfigureAwait(false))
            {
                await _giveUp.CancelAsync().ConfigureAwait(false);
                await idle.ConfigureAwait(false);
            }
        }

        await _writer.DisposeAsync().ConfigureAwait(false);
        await _settler.DisposeAsync().ConfigureAwait(false);
        await _leases.DisposeAsync().ConfigureAwait(false);
        await _gate.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        await _served.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        _giveUp.Dispose();
    }

    private RedisNeeds Needs() => FleetNeeds.Of(
        _served.Names, _queue.Options.KeyPrefix, _parts.Results.Options.KeyPrefix, _parts.Caller.QuotaPrefix);

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
