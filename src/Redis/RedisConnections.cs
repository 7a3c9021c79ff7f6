using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The connections of one process to one Redis: one for commands, and one of its own for leases, so that a 10 MB completion
/// on the first cannot delay a renewal on the second; a third for writes that wait for replicas, and a fourth for values of megabytes, so
/// that nothing small queues behind them.
/// </summary>
public sealed partial class RedisConnections : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _commands;
    private readonly ConnectionMultiplexer _leases;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly bool _sharded;
    private readonly ConfigurationOptions _options;
    private readonly SemaphoreSlim _opening = new(1);
    private ReplicatedWrites? _replicated;
    private ConnectionMultiplexer? _large;
    private (long Bytes, long Losses)? _maxValue;
    private long _losses;

    private RedisConnections(ConnectionMultiplexer commands, ConnectionMultiplexer leases, ConfigurationOptions options, string name, TimeProvider time, ILogger logger)
    {
        _options = options;
        _commands = commands;
        _leases = leases;
        _time = time;
        _logger = logger;
        Name = name;
        Clock = new RedisClock(this, time);
        var masters = Masters().ToList();
        IsCluster = masters.Exists(server => server.ServerType == ServerType.Cluster);
        _sharded = IsCluster && masters.TrueForAll(server => server.Version.Major >= 7);
        _commands.ConnectionRestored += OnRestored;
        _leases.ConnectionRestored += OnRestored;
        _commands.ConnectionFailed += OnFailed;
    }

    /// <summary>The end points, for messages.</summary>
    public string Name { get; }

    /// <summary>The time that all processes on this Redis share.</summary>
    public RedisClock Clock { get; }

    /// <summary>For everything but leases.</summary>
    public IDatabase Commands => _commands.GetDatabase();

    /// <summary>For the renewal of leases.</summary>
    public IDatabase Leases => _leases.GetDatabase();

    /// <summary>For messages. Some may be lost: whatever one tells is also to be found without it.</summary>
    public ISubscriber Subscriber => _commands.GetSubscriber();

    /// <summary>Whether the keys are spread over the slots of a Redis Cluster.</summary>
    public bool IsCluster { get; }

    /// <summary>How scripts publish on a <see cref="Channel"/>: <c>SPUBLISH</c> on a Redis 7 cluster, where a message stays within its slot's shard; else <c>PUBLISH</c>.</summary>
    public string PublishVerb => _sharded ? "SPUBLISH" : "PUBLISH";

    /// <summary>Set each time that a connection has been lost and is back.</summary>
    public VersionedSignal Restored { get; } = new();

    /// <summary>How often a connection to a server was lost. What a reader knows from before may be undone: by a crash, or a failover to a replica.</summary>
    public long Losses => Volatile.Read(ref _losses);

    /// <summary>Connects to the Redis that <paramref name="options"/> names.</summary>
    /// <exception cref="RedisUnreachableException">It doesn't answer.</exception>
    public static async Task<RedisConnections> ConnectAsync(
        ConfigurationOptions options, TimeProvider time, ILogger<RedisConnections>? logger = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var name = RedisAddress.Describe(options);
        var shaped = Shape(options);
        var commands = ConnectionMultiplexer.ConnectAsync(shaped);
        var leases = ConnectionMultiplexer.ConnectAsync(shaped);
        try
        {
            await Task.WhenAll(commands, leases).WaitAsync(cancellationToken).ConfigureAwait(false);
            return new RedisConnections(await commands.ConfigureAwait(false), await leases.ConfigureAwait(false), shaped, name, time, (ILogger?)logger ?? NullLogger.Instance);
        }
        catch (RedisConnectionException e)
        {
            await CloseAsync(commands, leases).ConfigureAwait(false);
            throw new RedisUnreachableException(name, Reason(e), e);
        }
        catch (OperationCanceledException)
        {
            // Not awaited: a server that says nothing keeps an opening connection for seconds. It closes itself when it knows.
            _ = CloseAsync(commands, leases);
            throw;
        }
    }

    /// <summary>The same without a task, for a place that cannot await: the factory of a service.</summary>
    /// <exception cref="RedisUnreachableException">It doesn't answer.</exception>
    public static RedisConnections Connect(ConfigurationOptions options, TimeProvider time, ILogger<RedisConnections>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var name = RedisAddress.Describe(options);
        var shaped = Shape(options);
        ConnectionMultiplexer? commands = null;
        try
        {
            commands = ConnectionMultiplexer.Connect(shaped);
            return new RedisConnections(commands, ConnectionMultiplexer.Connect(shaped), shaped, name, time, (ILogger?)logger ?? NullLogger.Instance);
        }
        catch (RedisConnectionException e)
        {
            commands?.Dispose();
            throw new RedisUnreachableException(name, Reason(e), e);
        }
    }

    /// <summary>The channel on which <see cref="PublishVerb"/> publishes.</summary>
    /// <param name="name">Its name; on a cluster the hash tag in it says which shard has it.</param>
    public RedisChannel Channel(string name) => _sharded ? RedisChannel.Sharded(name) : RedisChannel.Literal(name);

    /// <summary>The slot of a cluster that a key lies in; the keys of one call must share it.</summary>
    public int SlotOf(RedisKey key) => _commands.HashSlot(key);

    /// <summary>For values of megabytes; opened at its first use. Where a server takes no more connections, it is the one for commands.</summary>
    internal async ValueTask<IDatabase> LargeAsync()
    {
        if (Volatile.Read(ref _large) is { } opened)
            return opened.GetDatabase();
        await _opening.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_large is null)
            {
                var large = await ConnectionMultiplexer.ConnectAsync(_options).ConfigureAwait(false);
                // A value beyond its limit makes Redis close this one.
                large.ConnectionFailed += OnFailed;
                Volatile.Write(ref _large, large);
            }

            return _large.GetDatabase();
        }
        catch (RedisConnectionException)
        {
            // If that connection is lost too, the call itself reports it.
            return Commands;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>Runs a script; with <paramref name="wait"/>, until replicas have what it wrote. The script must write something each time it runs.</summary>
    /// <param name="script">The script.</param>
    /// <param name="keys">Its keys, at least one, all in one slot.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="wait">How many replicas must have it, by a connection of its own that is opened at the first such call.</param>
    /// <param name="isLarge">Whether its arguments are megabytes.</param>
    /// <exception cref="ReplicasBehindException">The script has run, but too few replicas confirm it in time.</exception>
    /// <exception cref="RedisException">Redis answers with an error or not at all; in the second case the script may have run.</exception>
    public async Task<RedisResult> RunAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments, ReplicaWait wait, bool isLarge = false)
    {
        ArgumentNullException.ThrowIfNull(script);
        if (wait.Replicas == 0)
            return await script.RunAsync(isLarge ? await LargeAsync().ConfigureAwait(false) : Commands, keys, arguments).ConfigureAwait(false);
        return await (await ReplicatedAsync().ConfigureAwait(false)).RunAsync(script, keys, arguments, wait).ConfigureAwait(false);
    }

    /// <summary>The largest value that every server takes as an argument, in bytes, as they say it themselves; else what Redis has by default, 512 MiB.</summary>
    public async Task<long> MaxValueBytesAsync()
    {
        // After a lost connection another server may answer, or one that was set up anew.
        var losses = Losses;
        if (_maxValue is { } known && known.Losses == losses)
            return known.Bytes;
        var bytes = await RedisPreflight.MaxValueBytesAsync(this).ConfigureAwait(false);
        _maxValue = (bytes, losses);
        return bytes;
    }

    /// <summary>The servers that take writes, as far as they are connected now.</summary>
    internal IEnumerable<IServer> Masters() => _commands.GetServers().Where(server => server.IsConnected && !server.IsReplica);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_replicated is { } replicated)
            await replicated.DisposeAsync().ConfigureAwait(false);
        if (_large is { } large)
            await large.DisposeAsync().ConfigureAwait(false);
        _opening.Dispose();
        await _leases.DisposeAsync().ConfigureAwait(false);
        await _commands.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<ReplicatedWrites> ReplicatedAsync()
    {
        if (Volatile.Read(ref _replicated) is { } opened)
            return opened;
        await _opening.WaitAsync().ConfigureAwait(false);
        try
        {
            var replicated = _replicated ?? await ReplicatedWrites.ConnectAsync(_options).ConfigureAwait(false);
            Volatile.Write(ref _replicated, replicated);
            return replicated;
        }
        finally
        {
            _opening.Release();
        }
    }

    private static ConfigurationOptions Shape(ConfigurationOptions options)
    {
        var shaped = options.Clone();
        shaped.AbortOnConnectFail = true;
        shaped.ConnectRetry = 1;
        shaped.ConnectTimeout = 5_000;
        shaped.AsyncTimeout = 10_000;
        shaped.SyncTimeout = 10_000;
        shaped.KeepAlive = 10;
        // A Redis that was restarted is found again within a second.
        shaped.ReconnectRetryPolicy = new LinearRetry(250);
        shaped.ClientName ??= "llmpipe";
        shaped.IncludeDetailInExceptions = false;
        // For CONFIG GET, by which the preflight sees what is unsafe.
        shaped.AllowAdmin = true;
        return shaped;
    }

    private static async Task CloseAsync(params Task<ConnectionMultiplexer>[] opening)
    {
        foreach (var connection in opening)
        {
            await ((Task)connection).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (connection.IsCompletedSuccessfully)
                await (await connection.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    private static string Reason(RedisConnectionException e) => e.FailureType switch
    {
        ConnectionFailureType.AuthenticationFailure => "it refuses the user or the password",
        _ when e.Message.Contains("NOAUTH", StringComparison.Ordinal) || e.Message.Contains("WRONGPASS", StringComparison.Ordinal) => "it refuses the user or the password",
        _ => "no answer",
    };

    private void OnRestored(object? sender, ConnectionFailedEventArgs e)
    {
        if (IsCommands(sender, e))
            LogRestored(Name);
        Restored.Set();
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs e)
    {
        Interlocked.Increment(ref _losses);
        if (IsCommands(sender, e))
            LogLost(Name, e.FailureType);
    }

    // Four connections are lost together (two of each kind); people are told once.
    private bool IsCommands(object? sender, ConnectionFailedEventArgs e) => ReferenceEquals(sender, _commands) && e.ConnectionType == ConnectionType.Interactive;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to Redis at {Name} is lost ({Failure}); trying again until it is back")]
    private partial void LogLost(string name, ConnectionFailureType failure);

    [LoggerMessage(Level = LogLevel.Information, Message = "Connected to Redis at {Name} again")]
    private partial void LogRestored(string name);
}
