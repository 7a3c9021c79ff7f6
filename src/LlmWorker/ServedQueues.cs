using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The queues that a process serves: finds new ones, and retires those without jobs, which then cost nothing.</summary>
/// <param name="queue">Where they are.</param>
/// <param name="parts">What their workers share.</param>
/// <param name="loggers">For what is to be told.</param>
/// <param name="failed">Gets the exception with which the process cannot go on.</param>
/// <param name="stop">Set when the process ends.</param>
internal sealed partial class ServedQueues(
    PromptQueue queue, WorkerParts parts, ILoggerFactory loggers, TaskCompletionSource failed, CancellationToken stop) : IAsyncDisposable
{
    private const int StartedAtOnce = 50, RetiredInOneStep = 20, CheckedInOneStep = 4;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenSteps = TimeSpan.FromMilliseconds(50);

    // One that retires a queue has taken it off the registered ones by then.
    private static readonly TimeSpan Registered = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, ServedQueue> _served = new();
    private readonly ConcurrentDictionary<string, string> _refused = new();
    private readonly ILogger _logger = loggers.CreateLogger<WorkerProcess>();
    private bool _servesAll;
    private static readonly TimeSpan LastCall = TimeSpan.FromSeconds(2);
    private bool _isFirst = true;
    private long? _announced;
    private long _checked;
    private int _place;

    /// <summary>Their names.</summary>
    public ICollection<string> Names => _served.Keys;

    /// <summary>Starts a worker of a queue, whoever else serves it.</summary>
    /// <param name="name">The queue.</param>
    /// <param name="model">The model of its jobs.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public async Task StartAsync(string name, string model, CancellationToken cancellationToken)
    {
        var partitions = await RedisRetry.UntilAnsweredAsync(() => queue.PartitionsAsync(name), parts.Time, _logger, cancellationToken).ConfigureAwait(false);
        var served = new ServedQueue(name, model, partitions, queue.Options, parts, loggers);
        _served[name] = served;
        parts.Running.Track(WatchAsync(name, served, served.WorkAsync));
        parts.Running.Track(WatchAsync(name, served, served.ReclaimAsync));
        parts.Running.Track(WatchAsync(name, served, served.SweepAsync));
    }

    /// <summary>Serves every queue that a deployment serves, until the process ends.</summary>
    public Task ServeAllAsync()
    {
        _servesAll = true;
        return WatchAsync(null, null, LookAsync);
    }

    /// <summary>No more claims; what runs is not touched.</summary>
    public async Task StopAsync()
    {
        foreach (var served in _served.Values)
            await served.StopAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var served in _served.Values)
            await served.DisposeAsync().ConfigureAwait(false);
    }

    private async Task LookAsync()
    {
        try
        {
            await using var created = await WakeUps.ListenForQueuesAsync(parts.Redis, queue.Options, stop).ConfigureAwait(false);
            while (true)
            {
                await AnnounceAsync().ConfigureAwait(false);
                var seen = created.Signal.Version;
                IReadOnlyList<string> registered = await AnsweredAsync(queue.QueuesAsync).ConfigureAwait(false);
                foreach (var names in registered.Where(name => !_served.ContainsKey(name) && !PrivateQueue.Is(name) && parts.Caller.Serves(name)).Chunk(StartedAtOnce))
                    await Task.WhenAll(names.Select(name => WatchAsync(name, null, () => ServeAsync(name)))).ConfigureAwait(false);
                _isFirst = false;
                var more = await RetireAsync().ConfigureAwait(false);
                if (parts.Time.GetElapsedTime(_checked) >= LookEvery)
                    await CheckAsync(registered).ConfigureAwait(false);
                await created.Signal.WaitAsync(seen, more ? BetweenSteps : LookEvery, parts.Time, stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The process ends.
            await WithdrawAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Tells the fleet of this process, and which models it serves.</summary>
    private async Task AnnounceAsync()
    {
        if (_announced is { } at && parts.Time.GetElapsedTime(at) < FleetModels.Renewal)
            return;
        var isFirst = _announced is null;
        _announced = parts.Time.GetTimestamp();
        await AnsweredAsync(() => RedisRetry.DoneAsync(queue.Models.AnnounceAsync(parts.Options.Name, parts.Caller.Models))).ConfigureAwait(false);
        await AnsweredAsync(() => RedisRetry.DoneAsync(queue.Workers.AnnounceAsync(parts.Options.Name, parts.Options.Concurrency, isFirst))).ConfigureAwait(false);
    }

    private async Task WithdrawAsync()
    {
        try
        {
            await queue.Models.WithdrawAsync(parts.Options.Name).WaitAsync(LastCall, parts.Time).ConfigureAwait(false);
            await queue.Workers.WithdrawAsync(parts.Options.Name).WaitAsync(LastCall, parts.Time).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisRetry.MayPass(e) || e is TimeoutException)
        {
            // It ends by itself.
            LogNotWithdrawn(e.GetType().Name);
        }
    }

    private async Task ServeAsync(string name)
    {
        // What was left without jobs before this process started is not served even once.
        if (_isFirst && parts.Options.QueueIdleTimeout is { } idle && await RetireAsync(name, idle).ConfigureAwait(false))
            return;
        // Every partition says whether it is of this version: what is refused is not claimed from even once.
        await AnsweredAsync(() => queue.StatsAsync(name)).ConfigureAwait(false);
        if (_refused.TryRemove(name, out _))
            LogServedAgain(name);
        await StartAsync(name, name, stop).ConfigureAwait(false);
    }

    /// <summary>Retires queues that had no job in this process for a while, some of them in one step.</summary>
    /// <returns>Whether there are more.</returns>
    private async Task<bool> RetireAsync()
    {
        if (parts.Options.QueueIdleTimeout is not { } idle)
            return false;
        var looks = 0;
        foreach (var (name, served) in _served)
        {
            if (PrivateQueue.Is(name) || served.Idle < idle)
                continue;
            if (looks++ == RetiredInOneStep)
                return true;
            await WatchAsync(name, served, async () =>
            {
                if (!await RetireAsync(name, idle).ConfigureAwait(false))
                    served.Use();
                else if (_served.TryRemove(new(name, served)))
                    await served.DisposeAsync().ConfigureAwait(false);
            }).ConfigureAwait(false);
        }

        return false;
    }

    private Task<bool> RetireAsync(string name, TimeSpan idle) => AnsweredAsync(async () =>
        await queue.Registry.RetireAsync(name, await queue.PartitionsAsync(name).ConfigureAwait(false), idle).ConfigureAwait(false));

    /// <summary>
    /// Checks some of the retired queues in turn: earlier versions enqueue without a registration, and a process may be killed between two
    /// steps. What is without jobs for longer than batches are kept is removed.
    /// </summary>
    private async Task CheckAsync(IReadOnlyList<string> registered)
    {
        _checked = parts.Time.GetTimestamp();
        var retired = await AnsweredAsync(() => queue.Registry.RetiredAsync(_place, CheckedInOneStep)).ConfigureAwait(false);
        _place = retired.Count < CheckedInOneStep ? 0 : _place + CheckedInOneStep;
        foreach (var (name, since) in retired)
        {
            var age = parts.Time.GetUtcNow() - since;
            if (!registered.Contains(name, StringComparer.Ordinal))
                await WatchAsync(name, null, () => AnsweredAsync(() => CheckAsync(name, age))).ConfigureAwait(false);
            else if (age > Registered)
                await AnsweredAsync(() => RedisRetry.DoneAsync(queue.Registry.ForgetAsync(name))).ConfigureAwait(false);
        }
    }

    private async Task<bool> CheckAsync(string name, TimeSpan age)
    {
        var partitions = await queue.PartitionsAsync(name).ConfigureAwait(false);
        if (!await queue.Registry.ConfirmAsync(name, partitions).ConfigureAwait(false))
            LogFound(name);
        else if (age > queue.Options.BatchTtl)
            await RemoveAsync(name, partitions).ConfigureAwait(false);
        return true;
    }

    private async Task RemoveAsync(string name, IReadOnlyList<QueuePartition> partitions)
    {
        await queue.PurgeDeadAsync(name, null, queue.Options.MaxDeadAge).ConfigureAwait(false);
        await queue.Registry.RemoveAsync(name, partitions).ConfigureAwait(false);
    }

    private Task<T> AnsweredAsync<T>(Func<Task<T>> call) => RedisRetry.UntilAnsweredAsync(call, parts.Time, _logger, stop);

    /// <summary>Lets whoever waits for it know of work that failed.</summary>
    private async Task WatchAsync(string? name, ServedQueue? served, Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (QueueMismatchException e) when (_servesAll && name is not null)
        {
            // It is looked at again with the next look for queues.
            if (_refused.TryAdd(name, e.Message))
                LogRefused(name, e.Message);
            if (served is not null && _served.TryRemove(new(name, served)))
                await served.DisposeAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The process ends.
        }
        catch (Exception e)
        {
            failed.TrySetException(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Queue {Queue} is not served: {Reason}")]
    private partial void LogRefused(string queue, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Queue {Queue} is served again")]
    private partial void LogServedAgain(string queue);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The models of this worker are announced for up to half a minute more ({Reason})")]
    private partial void LogNotWithdrawn(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Retired queue {Queue} has jobs and is served again")]
    private partial void LogFound(string queue);
}
