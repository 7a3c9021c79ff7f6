using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The connections of one process to one Redis: one for commands, and one of its own for leases, so that a 10 MB completion on the first
/// cannot delay a renewal on the second; a third for writes that wait for replicas, and a fourth for values of megabytes. What several
/// <see cref="RedisConnections"/> share.
/// </summary>
internal sealed partial class RedisLink : IAsyncDisposable
{
    // A server that accepts connections and drops them, as one that loads its data does, is lost several times a second.
    private static readonly TimeSpan LogEvery = TimeSpan.FromSeconds(10);

    private readonly ConfigurationOptions _options;
    private readonly ILogger _logger;
    private readonly Lock _logging = new();
    private long? _loggedLoss;
    private bool _isLossOpen;
    private readonly SemaphoreSlim _opening = new(1);
    private readonly CancellationTokenSource _closed = new();
    private ReplicatedWrites? _replicated;
    private ConnectionMultiplexer? _large;
    private (long Bytes, long Losses)? _maxValue;
    private Task _checking = Task.CompletedTask;
    private long _losses;

    public RedisLink(
        ConnectionMultiplexer commands, ConnectionMultiplexer leases, ConfigurationOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _logger = logger;
        Commands = commands;
        Leases = leases;
        Time = time;
        Name = RedisAddress.Describe(options);
        var masters = Masters().ToList();
        IsCluster = masters.Exists(server => server.ServerType == ServerType.Cluster);
        IsSharded = IsCluster && masters.TrueForAll(server => server.Version.Major >= 7);
        Closed = _closed.Token;
        Commands.ConnectionRestored += OnRestored;
        Leases.ConnectionRestored += OnRestored;
        Commands.ConnectionFailed += OnFailed;
    }

    public ConnectionMultiplexer Commands { get; }

    public ConnectionMultiplexer Leases { get; }

    public ConfigurationOptions Options => _options;

    public TimeProvider Time { get; }

    public ILogger Logger => _logger;

    public string Name { get; }

    public bool IsCluster { get; }

    /// <summary>Whether a message stays within its slot's shard.</summary>
    public bool IsSharded { get; }

    public VersionedSignal Restored { get; } = new();

    public long Losses => Volatile.Read(ref _losses);

    /// <summary>Set when the connections are closed for good.</summary>
    public CancellationToken Closed { get; }

    /// <summary>
    /// Ends when the server behind a new connection is known to be the right one; faulted when it is not. Without a database of its own
    /// there is nothing to check.
    /// </summary>
    public Task Checked => Volatile.Read(ref _checking);

    /// <summary>The servers that take writes, as far as they are connected now.</summary>
    public IEnumerable<IServer> Masters() => Commands.GetServers().Where(server => server.IsConnected && !server.IsReplica);

    public async Task<ReplicatedWrites> ReplicatedAsync()
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

    /// <summary>The connection for values of megabytes, opened at its first use; null where it cannot be opened.</summary>
    public async Task<ConnectionMultiplexer?> LargeAsync()
    {
        if (Volatile.Read(ref _large) is { } opened)
            return opened;
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

            return _large;
        }
        catch (RedisConnectionException)
        {
            // If the connection for commands is lost too, the call itself reports it.
            return null;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>The largest value that every server takes, by <paramref name="ask"/>; asked for again when a connection was lost.</summary>
    public async Task<long> MaxValueBytesAsync(Func<Task<long>> ask)
    {
        // After a lost connection another server may answer, or one that was set up anew.
        var losses = Losses;
        if (_maxValue is { } known && known.Losses == losses)
            return known.Bytes;
        var bytes = await ask().ConfigureAwait(false);
        _maxValue = (bytes, losses);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync().ConfigureAwait(false);
        if (_replicated is { } replicated)
            await replicated.DisposeAsync().ConfigureAwait(false);
        if (_large is { } large)
            await large.DisposeAsync().ConfigureAwait(false);
        await Leases.DisposeAsync().ConfigureAwait(false);
        await Commands.DisposeAsync().ConfigureAwait(false);
        await _checking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _opening.Dispose();
        _closed.Dispose();
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs e)
    {
        if (IsCommands(sender, e) && EndsLoss())
            LogRestored(Name);
        // Another server may be behind the address now.
        if (_options.DefaultDatabase > 0 && e.ConnectionType == ConnectionType.Interactive)
            Volatile.Write(ref _checking, RedisDatabaseCheck.RunAsync(_options, () => RedisConnecting.MastersOf(Commands), Time, Closed));

        Restored.Set();
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs e)
    {
        Interlocked.Increment(ref _losses);
        if (!IsCommands(sender, e) || !BeginsLoss())
            return;
        if (e.FailureType == ConnectionFailureType.AuthenticationFailure)
            LogRefused(Name);
        else
            LogLost(Name, e.FailureType);
    }

    // Whether a line says that the connection is lost; the lines that say it is back belong to these.
    private bool BeginsLoss()
    {
        lock (_logging)
        {
            if (_isLossOpen || (_loggedLoss is { } logged && Time.GetElapsedTime(logged) < LogEvery))
                return false;
            _loggedLoss = Time.GetTimestamp();
            return _isLossOpen = true;
        }
    }

    private bool EndsLoss()
    {
        lock (_logging)
        {
            var isOpen = _isLossOpen;
            _isLossOpen = false;
            return isOpen;
        }
    }

    // Four connections are lost together (two of each kind); one line is enough.
    private bool IsCommands(object? sender, ConnectionFailedEventArgs e) =>
        ReferenceEquals(sender, Commands) && e.ConnectionType == ConnectionType.Interactive;

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The connection to Redis at {Name} is lost ({Failure}); trying again until it is back")]
    private partial void LogLost(string name, ConnectionFailureType failure);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Redis at {Name} refuses the user or the password; trying again until it accepts them")]
    private partial void LogRefused(string name);

    [LoggerMessage(Level = LogLevel.Information, Message = "Connected to Redis at {Name} again")]
    private partial void LogRestored(string name);
}
