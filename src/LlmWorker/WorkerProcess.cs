using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// The workers of one process: one for each queue that it was given, which share slots, leases and the LLM. Start it once, stop it once.
/// </summary>
public sealed partial class WorkerProcess : IAsyncDisposable
{
    private readonly PromptQueue _queue;
    private readonly RedisConnections _redis;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly WorkerParts _parts;
    private readonly ClaimGate _gate;
    private readonly LeaseKeeper _leases;
    private readonly ResultWriter _writer;
    private readonly Settler _settler;
    private readonly SimulatedBatches _simulated;
    private readonly ConcurrentDictionary<string, ServedQueue> _served = new();
    private readonly ConcurrentDictionary<string, string> _refused = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _serving = Task.CompletedTask;
    private bool _servesAll;
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
        _loggers = loggers;
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
        };
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
            await StartAsync(queue, model, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Starts a worker of every queue that a deployment serves, and of each new one within a second. Returns at once; failures end
    /// <see cref="Failed"/>. A queue of another schema version is refused, with an error in the log, and the others are served; it is
    /// served when it has become right.
    /// </summary>
    public void ServeAll()
    {
        _servesAll = true;
        _leases.Start();
        _gate.Start(_redis);
        _serving = WatchAsync(null, null, ServeAllAsync);
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
        foreach (var served in _served.Values)
            await served.StopAsync().ConfigureAwait(false);
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
        foreach (var served in _served.Values)
            await served.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        _giveUp.Dispose();
    }

    private RedisNeeds Needs() => FleetNeeds.Of(
        _served.Keys, _queue.Options.KeyPrefix, _parts.Results.Options.KeyPrefix, _parts.Caller.QuotaPrefix);

    private async Task StartAsync(string queue, string model, CancellationToken cancellationToken)
    {
        var partitions = await RedisRetry.UntilAnsweredAsync(() => _queue.PartitionsAsync(queue), _parts.Time, _logger, cancellationToken).ConfigureAwait(false);
        var served = new ServedQueue(queue, model, partitions, _queue.Options, _parts, _loggers);
        _served[queue] = served;
        _parts.Running.Track(WatchAsync(queue, served, served.WorkAsync));
        _parts.Running.Track(WatchAsync(queue, served, served.ReclaimAsync));
        _parts.Running.Track(WatchAsync(queue, served, served.SweepAsync));
    }

    private async Task ServeAllAsync()
    {
        try
        {
            await using var created = await WakeUps.ListenForQueuesAsync(_redis, _queue.Options, _stop.Token).ConfigureAwait(false);
            while (true)
            {
                var seen = created.Signal.Version;
                foreach (var queue in await RedisRetry.UntilAnsweredAsync(_queue.QueuesAsync, _parts.Time, _logger, _stop.Token).ConfigureAwait(false))
                {
                    if (!_served.ContainsKey(queue) && !PrivateQueue.Is(queue) && _parts.Caller.Serves(queue))
                        await WatchAsync(queue, null, () => ServeAsync(queue)).ConfigureAwait(false);
                }

                await created.Signal.WaitAsync(seen, TimeSpan.FromSeconds(1), _parts.Time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task ServeAsync(string queue)
    {
        // Every partition says whether it is of this version: what is refused is not claimed from even once.
        await RedisRetry.UntilAnsweredAsync(() => _queue.StatsAsync(queue), _parts.Time, _logger, _stop.Token).ConfigureAwait(false);
        if (_refused.TryRemove(queue, out _))
            LogServedAgain(queue);
        await StartAsync(queue, queue, _stop.Token).ConfigureAwait(false);
    }

    /// <summary>Lets whoever waits for it know of work that failed.</summary>
    private async Task WatchAsync(string? queue, ServedQueue? served, Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (QueueMismatchException e) when (_servesAll && queue is not null)
        {
            // It is looked at again with the next look for queues.
            if (_refused.TryAdd(queue, e.Message))
                LogRefused(queue, e.Message);
            if (served is not null && _served.TryRemove(new(queue, served)))
                await served.DisposeAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends.
        }
        catch (Exception e)
        {
            _failed.TrySetException(e);
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Queue {Queue} is not served: {Reason}")]
    private partial void LogRefused(string queue, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Queue {Queue} is served again")]
    private partial void LogServedAgain(string queue);
}
