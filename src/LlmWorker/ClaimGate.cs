using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Whether this process may claim: not before it knows that it may write all that a job needs, not while Redis refuses it a command or a
/// key, and not while Redis is fuller than the settings allow. What is claimed already goes on, and what is paid is kept until it can be
/// stored: a job that is claimed where its end cannot be written would be paid for again and again.
/// </summary>
internal sealed partial class ClaimGate(
    WorkerOptions options, Func<RedisNeeds> needs, TimeProvider time, ILogger<ClaimGate> logger) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MemoryPause = TimeSpan.FromSeconds(1);

    // What is refused is tried again each second; so long without a refusal it is permitted.
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(5);

    // Claiming begins again when there is some room, not at each result that expires.
    private const double Room = 0.02;
    private readonly CancellationTokenSource _stop = new();
    private readonly VersionedSignal _changed = new();
    private Task _loops = Task.CompletedTask;
    private string? _refusal;
    private long _refusedAt;
    private bool _isPermitted;
    private bool _isFull;

    /// <summary>Whether jobs may be claimed, and called.</summary>
    public bool MayClaim => Volatile.Read(ref _isPermitted) && !Volatile.Read(ref _isFull);

    /// <summary>Whether what is claimed already may be called: its end can be written.</summary>
    public bool MayCall => Volatile.Read(ref _isPermitted);

    /// <summary>Begins to look.</summary>
    public void Start(RedisConnections redis)
    {
        if (!options.ChecksPermissions)
            _isPermitted = true;
        _loops = Task.WhenAll(PermissionsAsync(redis.Once), options.MaxMemoryShare is { } most
            ? MemoryAsync(redis.Once, most)
            : Task.CompletedTask);
    }

    /// <summary>Closes the gate: Redis has refused a call.</summary>
    public void Deny(RedisDeniedException refusal)
    {
        Volatile.Write(ref _refusedAt, time.GetTimestamp());
        Volatile.Write(ref _isPermitted, false);
        Volatile.Write(ref _refusal, refusal.Message);
        _changed.Set();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loops.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task PermissionsAsync(RedisConnections redis)
    {
        string? said = null;
        try
        {
            while (true)
            {
                var seen = _changed.Version;
                if (_isPermitted)
                {
                    await _changed.WaitAsync(seen, Timeout.InfiniteTimeSpan, time, _stop.Token).ConfigureAwait(false);
                    continue;
                }

                var missing = await MissingAsync(redis).ConfigureAwait(false);
                var isRefused = Volatile.Read(ref _refusal) is not null && time.GetElapsedTime(Volatile.Read(ref _refusedAt)) < Quiet;
                if (missing.Count == 0 && !isRefused)
                {
                    Volatile.Write(ref _refusal, null);
                    Volatile.Write(ref _isPermitted, true);
                    if (_changed.Version != seen)
                        Volatile.Write(ref _isPermitted, false);
                    else if (said is not null)
                        LogPermitted();
                    said = _isPermitted ? null : said;
                    continue;
                }

                var reason = missing.Count > 0 ? string.Join(", ", missing) : _refusal!;
                if (said is null)
                    LogDenied(reason);
                said = reason;
                await Task.Delay(Pause, time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>
    /// What is missing. Where it cannot be asked for (a Redis that is away, or that has no such commands), the calls show it.
    /// </summary>
    private async Task<IReadOnlyList<string>> MissingAsync(RedisConnections redis)
    {
        while (true)
        {
            try
            {
                return await RedisPermissions.MissingAsync(redis, needs(), _stop.Token).ConfigureAwait(false);
            }
            catch (RedisUnreachableException e)
            {
                if (await AnswersAsync(redis).ConfigureAwait(false))
                {
                    LogUnknown(e.InnerException?.Message ?? e.Reason);
                    return [];
                }
            }

            await Task.Delay(Pause, time, _stop.Token).ConfigureAwait(false);
        }
    }

    private static async Task<bool> AnswersAsync(RedisConnections redis)
    {
        try
        {
            await redis.Commands.PingAsync().ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            return false;
        }
    }

    private async Task MemoryAsync(RedisConnections redis, double most)
    {
        try
        {
            while (true)
            {
                try
                {
                    Fill(await RedisMemory.ShareAsync(redis).WaitAsync(_stop.Token).ConfigureAwait(false) ?? 0, most);
                }
                catch (Exception e) when (RedisRetry.MayPass(e) || e is RedisServerException)
                {
                    // Away, or INFO is forbidden: as long as nothing is known, what was known last holds.
                }

                await Task.Delay(MemoryPause, time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private void Fill(double share, double most)
    {
        if (!_isFull && share > most)
        {
            Volatile.Write(ref _isFull, true);
            LogFull(share, most);
        }
        else if (_isFull && share < most - Room)
        {
            Volatile.Write(ref _isFull, false);
            LogRoom(share);
        }
    }

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Redis does not permit this user {Missing}: nothing is claimed until it does, and answers are kept until then")]
    private partial void LogDenied(string missing);

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis permits this user all that is needed again; claiming goes on")]
    private partial void LogPermitted();

    [LoggerMessage(Level = LogLevel.Debug, Message = "What Redis permits this user is not known ({Reason})")]
    private partial void LogUnknown(string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Redis uses {Share:P0} of its maxmemory, more than MaxMemoryShare {Most:P0}: nothing is claimed until there is room")]
    private partial void LogFull(double share, double most);

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis uses {Share:P0} of its maxmemory; claiming goes on")]
    private partial void LogRoom(double share);
}
