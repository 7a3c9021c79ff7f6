using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// A process' way to one Redis. Every call goes through it, and is repeated as its <see cref="RedisPatience"/> says: there is no other way
/// to a database.
/// </summary>
public sealed class RedisConnections : IAsyncDisposable
{
    private const int Repeats = 3;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);
    private readonly RedisLink _link;
    private readonly RedisPatience _patience;
    private readonly Action<RedisDeniedException>? _denied;

    private RedisConnections(RedisLink link, RedisPatience patience, Action<RedisDeniedException>? denied)
    {
        _link = link;
        _patience = patience;
        _denied = denied;
        Clock = new RedisClock(this, link.Time);
        Commands = new RedisCalls(this, () => link.Commands.GetDatabase());
        Once = patience == RedisPatience.Once ? this : new RedisConnections(link, RedisPatience.Once, denied);
        Leases = patience == RedisPatience.Once ? new RedisCalls(this, () => link.Leases.GetDatabase()) : Once.Leases;
    }

    /// <summary>The end points, for messages.</summary>
    public string Name => _link.Name;

    /// <summary>The time that all processes on this Redis share.</summary>
    public RedisClock Clock { get; }

    /// <summary>For everything but leases.</summary>
    public RedisCalls Commands { get; }

    /// <summary>For the renewal of leases, on a connection of its own. Never repeated: who renews does so by a beat.</summary>
    public RedisCalls Leases { get; }

    /// <summary>The same Redis without repeats, for a caller with a loop of its own.</summary>
    public RedisConnections Once { get; }

    /// <summary>Whether the keys are spread over the slots of a Redis Cluster.</summary>
    public bool IsCluster => _link.IsCluster;

    /// <summary>
    /// How scripts publish on a <see cref="Channel"/>: <c>SPUBLISH</c> on a Redis 7 cluster, where a message stays within its slot's
    /// shard; else <c>PUBLISH</c>.
    /// </summary>
    public string PublishVerb => _link.IsSharded ? "SPUBLISH" : "PUBLISH";

    /// <summary>Set each time that a connection has been lost and is back.</summary>
    public VersionedSignal Restored => _link.Restored;

    /// <summary>
    /// How often a connection to a server was lost. What a reader knows from before may be undone: by a crash, or a failover to a
    /// replica.
    /// </summary>
    public long Losses => _link.Losses;

    /// <summary>The database without repeats, for tests.</summary>
    internal IDatabase Database => _link.Commands.GetDatabase();

    /// <summary>The subscriber without repeats, for tests.</summary>
    internal ISubscriber Subscriber => _link.Commands.GetSubscriber();

    /// <summary>How it was connected.</summary>
    internal ConfigurationOptions Options => _link.Options;

    /// <summary>Connects to the Redis that <paramref name="options"/> names.</summary>
    /// <param name="options">Where, and how; what is not set in it has the defaults of this program.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told when the connection is lost and when it is back.</param>
    /// <param name="patience">How long calls are repeated.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    /// <exception cref="RedisUnreachableException">It doesn't answer, or it is not what the address says.</exception>
    public static async Task<RedisConnections> ConnectAsync(
        ConfigurationOptions options, TimeProvider time, ILogger<RedisConnections>? logger = null,
        RedisPatience patience = RedisPatience.Bounded, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var link = await RedisConnecting.OpenAsync(options, time, (ILogger?)logger ?? NullLogger.Instance, cancellationToken)
            .ConfigureAwait(false);
        return new RedisConnections(link, patience, null);
    }

    /// <summary>The same without a task, for a place that cannot await: the factory of a service.</summary>
    /// <exception cref="RedisUnreachableException">As above.</exception>
    public static RedisConnections Connect(ConfigurationOptions options, TimeProvider time, ILogger<RedisConnections>? logger = null) =>
        // On the pool: a caller's synchronization context must not be waited for by itself.
        Task.Run(() => ConnectAsync(options, time, logger)).GetAwaiter().GetResult();

    /// <summary>The channel on which <see cref="PublishVerb"/> publishes.</summary>
    /// <param name="name">Its name; on a cluster the hash tag in it says which shard has it.</param>
    public RedisChannel Channel(string name) => _link.IsSharded ? RedisChannel.Sharded(name) : RedisChannel.Literal(name);

    /// <summary>The slot of a cluster that a key lies in; the keys of one call must share it.</summary>
    public int SlotOf(RedisKey key) => _link.Commands.HashSlot(key);

    /// <summary>For values of megabytes. Where a server takes no more connections, they go on the one for commands.</summary>
    internal async ValueTask<RedisCalls> LargeAsync()
    {
        if (await _link.LargeAsync().ConfigureAwait(false) is { } large)
            return new RedisCalls(this, () => large.GetDatabase());
        return Commands;
    }

    /// <summary>Listens on a channel. Messages may be lost: whatever one tells is also to be found without it.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    internal Task<ChannelMessageQueue> SubscribeAsync(RedisChannel channel, CancellationToken cancellationToken) =>
        RepeatedAsync(() => _link.Commands.GetSubscriber().SubscribeAsync(channel)).WaitAsync(cancellationToken);

    /// <summary>Publishes a message without repeats, and without waiting for those before it.</summary>
    internal Task<long> PublishAsync(RedisChannel channel, RedisValue message) =>
        _link.Commands.GetSubscriber().PublishAsync(channel, message);

    /// <summary>
    /// Runs a script; with <paramref name="wait"/>, until replicas have what it wrote. The script must write something each time it runs.
    /// </summary>
    /// <param name="script">The script.</param>
    /// <param name="keys">Its keys, at least one, all in one slot.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="wait">How many replicas must have it, by a connection of its own that is opened at the first such call.</param>
    /// <param name="isLarge">Whether its arguments are megabytes.</param>
    /// <exception cref="ReplicasBehindException">The script has run, but too few replicas confirm it in time.</exception>
    /// <exception cref="RedisException">Redis answers with an error or not at all; in the second case the script may have run.</exception>
    public Task<RedisResult> RunAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments, ReplicaWait wait, bool isLarge = false)
    {
        ArgumentNullException.ThrowIfNull(script);
        return wait.Replicas == 0 ? RunAsync(script, keys, arguments, isLarge) : RepeatedAsync(async () =>
            await (await _link.ReplicatedAsync().ConfigureAwait(false)).RunAsync(script, keys, arguments, wait).ConfigureAwait(false));
    }

    private async Task<RedisResult> RunAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments, bool isLarge) =>
        await script.RunAsync(isLarge ? await LargeAsync().ConfigureAwait(false) : Commands, keys, arguments).ConfigureAwait(false);

    /// <summary>
    /// The largest value that every server takes as an argument, in bytes, as they say it themselves; else what Redis has by default, 512
    /// MiB.
    /// </summary>
    public Task<long> MaxValueBytesAsync() => _link.MaxValueBytesAsync(() => RedisPreflight.MaxValueBytesAsync(this));

    /// <summary>The servers that take writes, as far as they are connected now.</summary>
    internal IEnumerable<IServer> Masters() => _link.Masters();

    /// <summary>The same Redis with another patience.</summary>
    /// <param name="patience">How long calls are repeated.</param>
    /// <param name="denied">
    /// Called for each call that this user may not make; such calls are then <see cref="RedisDeniedException"/>s, which may pass.
    /// </param>
    internal RedisConnections With(RedisPatience patience, Action<RedisDeniedException> denied) => new(_link, patience, denied);

    /// <summary>Whether a call that failed so is repeated where the patience has no end.</summary>
    internal bool MayPass(Exception exception) =>
        RedisRetry.MayPass(exception) && !(_patience == RedisPatience.UntilAnsweredOrFull && RedisRetry.IsFull(exception));

    /// <summary>Makes a call as often as the patience says: the one place that does.</summary>
    internal Task<T> RepeatedAsync<T>(Func<Task<T>> call) => _patience switch
    {
        RedisPatience.Once => OnceAsync(call),
        RedisPatience.Bounded => RedisRetry.SeveralTimesAsync(() => OnceAsync(call), Repeats, Bound, _link.Time, _link.Closed),
        _ => RedisRetry.UntilAnsweredAsync(_ => OnceAsync(call), MayPass, _link.Time, _link.Logger, _link.Closed),
    };

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _link.DisposeAsync();

    private async Task<T> OnceAsync<T>(Func<Task<T>> call)
    {
        if (_link.Checked is { IsCompletedSuccessfully: false } check)
            await check.ConfigureAwait(false);
        try
        {
            return await call().ConfigureAwait(false);
        }
        catch (RedisServerException e) when (_denied is not null && RedisDeniedException.Is(e))
        {
            var denied = new RedisDeniedException(e);
            _denied(denied);
            throw denied;
        }
    }
}
