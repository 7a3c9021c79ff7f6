using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The connections of one process to one Redis: one for commands, and one of its own for leases, so that a 10 MB completion
/// on the first cannot delay a renewal on the second.
/// </summary>
public sealed partial class RedisConnections : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _commands;
    private readonly ConnectionMultiplexer _leases;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly bool _sharded;
    private long _restoredAt;

    private RedisConnections(ConnectionMultiplexer commands, ConnectionMultiplexer leases, string name, TimeProvider time, ILogger logger)
    {
        _commands = commands;
        _leases = leases;
        _time = time;
        _logger = logger;
        Name = name;
        _restoredAt = time.GetTimestamp();
        var masters = Masters().ToList();
        IsCluster = masters.Exists(server => server.ServerType == ServerType.Cluster);
        _sharded = IsCluster && masters.TrueForAll(server => server.Version.Major >= 7);
        _commands.ConnectionRestored += OnRestored;
        _leases.ConnectionRestored += OnRestored;
        _commands.ConnectionFailed += OnFailed;
    }

    /// <summary>The end points, for messages.</summary>
    public string Name { get; }

    /// <summary>For everything but leases.</summary>
    public IDatabase Commands => _commands.GetDatabase();

    /// <summary>For the renewal of leases.</summary>
    public IDatabase Leases => _leases.GetDatabase();

    /// <summary>For wake-ups. Messages may be lost: they say "look", never more.</summary>
    public ISubscriber Subscriber => _commands.GetSubscriber();

    /// <summary>Whether the keys are spread over the slots of a Redis Cluster.</summary>
    public bool IsCluster { get; }

    /// <summary>How scripts publish on a <see cref="Channel"/>: <c>SPUBLISH</c> on a Redis 7 cluster, where a message stays within its slot's shard; else <c>PUBLISH</c>.</summary>
    public string PublishVerb => _sharded ? "SPUBLISH" : "PUBLISH";

    /// <summary>Set each time that a connection has been lost and is back.</summary>
    public VersionedSignal Restored { get; } = new();

    /// <summary>How long the connections have stood since the last (re)connect; zero while one is lost.</summary>
    public TimeSpan SinceRestored => _commands.IsConnected && _leases.IsConnected ? _time.GetElapsedTime(Volatile.Read(ref _restoredAt)) : TimeSpan.Zero;

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
            return new RedisConnections(await commands.ConfigureAwait(false), await leases.ConfigureAwait(false), name, time, (ILogger?)logger ?? NullLogger.Instance);
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
            return new RedisConnections(commands, ConnectionMultiplexer.Connect(shaped), name, time, (ILogger?)logger ?? NullLogger.Instance);
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

    /// <summary>The servers that take writes, as far as they are connected now.</summary>
    internal IEnumerable<IServer> Masters() => _commands.GetServers().Where(server => server.IsConnected && !server.IsReplica);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _leases.DisposeAsync().ConfigureAwait(false);
        await _commands.DisposeAsync().ConfigureAwait(false);
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
        // CONFIG GET, which the preflight asks for, counts as administration for the client; the server's own rules still decide.
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
        Volatile.Write(ref _restoredAt, _time.GetTimestamp());
        if (IsCommands(sender, e))
            LogRestored(Name);
        Restored.Set();
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs e)
    {
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
