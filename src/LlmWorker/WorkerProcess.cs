using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// The workers of one process: one for each queue that it was given, which share slots, leases and the LLM. Start it once, stop it once.
/// </summary>
public sealed partial class WorkerProcess : IAsyncDisposable
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
    private readonly CallGauge _gauge;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _stopSending = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _serving = Task.CompletedTask;
    private StopSummary? _stopped;

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
        _logger = loggers.CreateLogger<WorkerProcess>();
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
            StopSending = _stopSending.Token,
        };
        _gauge = new CallGauge(() => Counts);
        _served = new ServedQueues(_queue, _parts, loggers, _failed, _stop.Token);
        _simulated = new SimulatedBatches(_queue.Batches, _parts.Running, time, _logger, _giveUp.Token);
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

    /// <summary>Jobs that are claimed and not yet settled.</summary>
    public int Held => _parts.Leases.Count;

    /// <summary>Where the jobs are that are claimed: in flight, or waiting and for what.</summary>
    public CallCounts Counts => _parts.Leases.Counts;

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
    /// Stops claiming and sending. Jobs that wait for a slot, for quota or for another try are given back at once, uncharged; calls that are
    /// sent are waited for, then stopped and given back too.
    /// </summary>
    /// <param name="atOnce">Ends the wait early: what runs is stopped and given back then.</param>
    /// <param name="patience">How long the wait may be; <see cref="WorkerOptions.DrainTimeout"/> when it is null.</param>
    /// <returns>What became of the jobs that were claimed.</returns>
    public async Task<StopSummary> StopAsync(CancellationToken atOnce = default, TimeSpan? patience = null)
    {
        if (_stopped is not null)
            return _stopped;
        _stopped = new StopSummary(0, 0);
        var before = _settler.Totals;
        var wait = patience ?? _parts.Options.DrainTimeout;
        if (Counts is var counts && counts.InFlight + counts.Unsent > 0)
            LogStopping(counts.InFlight, wait.TotalSeconds, counts.Unsent);
        await _stopSending.CancelAsync().ConfigureAwait(false);
        _parts.Slots.Close();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _serving.ConfigureAwait(false);
        await _served.StopAsync().ConfigureAwait(false);
        var idle = _parts.Running.IdleAsync();
        if (!await EndsAsync(idle, wait, atOnce).ConfigureAwait(false))
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
        _gauge.Dispose();
        var after = _settler.Totals;
        _stopped = new StopSummary(after.Finished - before.Finished, after.GivenBack - before.GivenBack);
        LogStopped(_stopped.Finished, _stopped.GivenBack);
        return _stopped;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        await _served.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        _stopSending.Dispose();
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

    [LoggerMessage(LogLevel.Information, "Stopping: {Sent} calls in flight have up to {Seconds} s to finish; {Unsent} jobs that are not sent are given back")]
    private partial void LogStopping(int sent, double seconds, int unsent);

    [LoggerMessage(LogLevel.Information, "Stopped: {Finished} jobs finished, {GivenBack} were given back")]
    private partial void LogStopped(long finished, long givenBack);
}
