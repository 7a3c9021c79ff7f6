using System.Globalization;
using System.Reflection;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The calls at once that a fleet may make to one deployment, in the hash <c>{quota:ACCOUNT}:permits</c>. This process holds as many as it has calls under
/// way or waiting, as far as there are, under a lease: when it dies, they are free again after ten seconds. Calls are served in order. While Redis is
/// away no new permits come; those that are held are used on.
/// </summary>
internal sealed partial class FleetPermits : PermitLimiter
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    // Calls that may go and see when it is not known whether there are permits, and when it was so at the last exchange.
    private const int Scouts = 8;
    private const int LeastMore = 64;

    private static readonly RedisScript Share = RedisScript.Load(Assembly.GetExecutingAssembly(), "permits");

    private readonly VersionedSignal _changed = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<RedisConnections> _find;
    private readonly RedisKey[] _keys;
    private readonly string _worker = $"w-{Environment.ProcessId}-{Random.Shared.NextInt64():x16}";
    private readonly int _limit;
    private readonly Action _onRoom;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private RedisConnections? _redis;
    private Task? _asking;
    private int _held;
    private int _more;

    /// <param name="redis">The fleet's Redis; asked for with the first call.</param>
    /// <param name="account">Its name, see <see cref="QuotaAccount"/>.</param>
    /// <param name="limit">Calls at once of the whole fleet.</param>
    /// <param name="onRoom">Called after each exchange: there may be more free than before.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="logger">Told when Redis is away.</param>
    /// <param name="prefix">Goes before the key.</param>
    public FleetPermits(Func<RedisConnections> redis, string account, int limit, Action onRoom, TimeProvider timeProvider, ILogger logger, string prefix = "")
    {
        _find = redis;
        _keys = [RedisLedger.KeyOf(account, prefix) + ":permits"];
        _limit = limit;
        _onRoom = onRoom;
        _time = timeProvider;
        _logger = logger;
    }

    /// <summary>How long permits are held without asking again; it is asked four times as often.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override int Permits => _held;

    /// <summary>
    /// What is free here, or may be had: its part of what the last exchange has found free, as far as that doubles what it holds, because meanwhile
    /// others may have taken it. Nobody knows without asking, so a few calls may always go and see.
    /// </summary>
    public override RateLimiterStatistics? GetStatistics()
    {
        lock (Gate)
        {
            var more = Math.Min(_more, Math.Max(LeastMore, _held));
            return new RateLimiterStatistics
            {
                CurrentAvailablePermits = Math.Max(_held - InFlight + more, Waiting == 0 ? Math.Min(Scouts, _limit) : 0),
                CurrentQueuedCount = Waiting,
            };
        }
    }

    /// <inheritdoc/>
    protected override void OnAsked() => _asking ??= Task.Run(AskAsync, CancellationToken.None);

    /// <inheritdoc/>
    protected override void OnChanged() => _changed.Set();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            DisposeAsyncCore().AsTask().GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeAsyncCore()
    {
        if (!Close())
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_asking is not null)
            await _asking.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task AskAsync()
    {
        var failures = 0;
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                var seen = _changed.Version;
                var (running, wanted) = Needs();
                TimeSpan pause;
                try
                {
                    var (held, more) = await AskAsync(running, wanted).WaitAsync(_stop.Token).ConfigureAwait(false);
                    if (failures > 0)
                        LogBack(_logger, failures);
                    failures = 0;
                    pause = Take(held, more) ? Lease / 4 : Poll;
                    _onRoom();
                }
                catch (Exception e) when (RedisRetry.MayPass(e))
                {
                    if (failures++ == 0)
                        LogAway(_logger, e.Message);
                    pause = LongestPause;
                }
                await Task.Delay(Poll, _time, _stop.Token).ConfigureAwait(false);
                if (pause > Poll)
                    await _changed.WaitAsync(seen, pause - Poll, _time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends; what it holds is given back below.
        }
        try
        {
            await AskAsync(0, 0).WaitAsync(LongestPause, _time).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisRetry.MayPass(e) || e is TimeoutException or ObjectDisposedException)
        {
            // The Redis is away, or its connection was closed first; then the lease runs out.
        }
    }

    private async Task<(int Held, int More)> AskAsync(int running, int wanted)
    {
        var answer = await Share.RunAsync((_redis ??= _find().With(RedisPatience.Once, static _ => { })).Commands, _keys, [_worker, running, wanted, _limit, (long)Lease.TotalMilliseconds]).ConfigureAwait(false);
        var numbers = ((string)answer!).Split(' ');
        return (int.Parse(numbers[0], CultureInfo.InvariantCulture), int.Parse(numbers[1], CultureInfo.InvariantCulture));
    }

    private (int Running, int Wanted) Needs()
    {
        lock (Gate)
        {
            // What is about to be asked with is not to be given away meanwhile.
            _held = Math.Min(_held, InFlight + Waiting);
            return (InFlight, InFlight + Waiting);
        }
    }

    // Whether nobody waits any more.
    private bool Take(int held, int more)
    {
        lock (Gate)
        {
            _held = held;
            _more = more;
            Serve();
            return Waiting == 0;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The fleet's calls at once cannot be asked for ({Reason}); new calls wait until they can")]
    private static partial void LogAway(ILogger logger, string reason);

    [LoggerMessage(LogLevel.Information, "The fleet's calls at once can be asked for again, after {Failures} tries")]
    private static partial void LogBack(ILogger logger, int failures);
}
