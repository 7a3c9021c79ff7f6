using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Makes a run the only live one of its batch, until it is disposed. The lock is renewed each second and holds for five: after a kill the
/// next run waits that long.
/// </summary>
public sealed class BatchLock : IAsyncDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);
    private readonly PromptQueue _queue;
    private readonly string _batch;
    private readonly string _owner;
    private readonly TimeProvider _time;
    private readonly ILogger? _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _renewing;

    private BatchLock(PromptQueue queue, string batch, string owner, TimeProvider time, ILogger? logger)
    {
        (_queue, _batch, _owner, _time, _logger) = (queue, batch, owner, time, logger);
        _renewing = RenewAsync();
    }

    /// <summary>
    /// Ends when another run has the lock: this one was stopped, or without Redis, for longer than the lock holds. The result is the
    /// other run.
    /// </summary>
    public Task<string> Lost => _lost.Task;

    /// <summary>Takes the lock. One that is not renewed is waited for: its run was killed.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets a line when Redis is away; null for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="BatchLockedException">Another run is live.</exception>
    public static async Task<BatchLock> TakeAsync(PromptQueue queue, string batch, TimeProvider time, ILogger? logger = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queue);
        ArgumentNullException.ThrowIfNull(time);
        var owner = $"process {Environment.ProcessId} on {Environment.MachineName} ({Random.Shared.NextInt64():x16})";
        BatchHolder? before = null;
        while (await RedisRetry.UntilAnsweredAsync(() => queue.Private.LockAsync(batch, owner, Lifetime), time, logger,
            cancellationToken).ConfigureAwait(false) is { } holder)
        {
            if (before is not null && (holder.Owner != before.Owner || holder.Remaining > before.Remaining))
                throw new BatchLockedException(batch, holder.Owner);
            before = holder;
            await Task.Delay(Poll, time, cancellationToken).ConfigureAwait(false);
        }

        return new BatchLock(queue, batch, owner, time, logger);
    }

    /// <summary>Gives the lock up.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _renewing.ConfigureAwait(false);
        _stop.Dispose();
        try
        {
            await _queue.Private.UnlockAsync(_batch, _owner).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            // It ends by itself.
            _logger?.LogDebug("The lock of batch {Batch} was not given up: {Reason}", _batch, e.Message);
        }
    }

    private async Task RenewAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(Renewal, _time, _stop.Token).ConfigureAwait(false);
                if (await RedisRetry.UntilAnsweredAsync(() => _queue.Private.LockAsync(_batch, _owner, Lifetime), _time, _logger,
                    _stop.Token).ConfigureAwait(false) is not { } other)
                    continue;
                _lost.TrySetResult(other.Owner);
                return;
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The run ends.
        }
        catch (Exception e)
        {
            _lost.TrySetException(e);
        }
    }
}
