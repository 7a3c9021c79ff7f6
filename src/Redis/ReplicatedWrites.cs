using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Runs scripts whose writes count only when replicas have them: the script, then <c>WAIT</c> on the same connection. It is a connection of
/// its own, because <c>WAIT</c> holds up all that is sent after it; one <c>WAIT</c> serves all scripts that were answered before it.
/// </summary>
/// <remarks>
/// <see href="https://redis.io/docs/latest/commands/wait/"/>: replicas confirm what this connection wrote. A script must therefore write
/// something each time it runs, else a repeat on a new connection would be confirmed without its first run being so.
/// </remarks>
internal sealed class ReplicatedWrites : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _connection;
    private readonly Lock _lock = new();
    private readonly Dictionary<(EndPoint Server, ReplicaWait Wait), Turns> _turns = [];
    private long _changes;

    private ReplicatedWrites(ConnectionMultiplexer connection)
    {
        _connection = connection;
        _connection.ConnectionFailed += (_, _) => Interlocked.Increment(ref _changes);
        _connection.ConnectionRestored += (_, _) => Interlocked.Increment(ref _changes);
    }

    /// <exception cref="RedisConnectionException">Redis doesn't answer.</exception>
    public static async Task<ReplicatedWrites> ConnectAsync(ConfigurationOptions options)
    {
        var shaped = options.Clone();
        // Nothing may move over to the next connection: what WAIT says is about this one.
        shaped.BacklogPolicy = BacklogPolicy.FailFast;
        return new ReplicatedWrites(await ConnectionMultiplexer.ConnectAsync(shaped).ConfigureAwait(false));
    }

    /// <exception cref="ReplicasBehindException">The script has run, but too few replicas confirm it.</exception>
    /// <exception cref="RedisException">As for <see cref="RedisScript.RunAsync(RedisCalls, RedisKey[], RedisValue[])"/>.</exception>
    public async Task<RedisResult> RunAsync(RedisScript script, RedisKey[] keys, RedisValue[] arguments, ReplicaWait wait)
    {
        var changes = Volatile.Read(ref _changes);
        var answer = await script.RunAsync(_connection.GetDatabase(), keys, arguments).ConfigureAwait(false);
        long have;
        try
        {
            have = await ConfirmAsync(_connection.GetServer(keys[0]), wait).ConfigureAwait(false);
        }
        // It has become a replica, or is one by now; or it is gone.
        catch (Exception e) when (e is RedisConnectionException or RedisTimeoutException
            || (e is RedisServerException && (e.Message.Contains("replica", StringComparison.Ordinal) || e.Message.StartsWith("UNBLOCKED", StringComparison.Ordinal))))
        {
            throw ReplicasBehindException.Unknown(e);
        }

        if (Volatile.Read(ref _changes) != changes)
            throw ReplicasBehindException.Unknown();
        return have >= wait.Replicas ? answer : throw ReplicasBehindException.TooFew(have, wait);
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>The replicas that have all that was written until now; a <c>WAIT</c> that is on its way already may know less.</summary>
    private Task<long> ConfirmAsync(IServer server, ReplicaWait wait)
    {
        lock (_lock)
        {
            if (!_turns.TryGetValue((server.EndPoint, wait), out var turns))
                _turns.Add((server.EndPoint, wait), turns = new Turns());
            if (turns.Running.IsCompleted)
                return turns.Running = WaitAsync(server, wait);
            if (turns.Next is null || turns.Next.IsCompleted)
                turns.Next = NextAsync(turns, server, wait);
            return turns.Next;
        }
    }

    private async Task<long> NextAsync(Turns turns, IServer server, ReplicaWait wait)
    {
        await ((Task)turns.Running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        Task<long> running;
        lock (_lock)
        {
            // From here on whoever comes waits for the one after this.
            turns.Next = null;
            running = turns.Running = WaitAsync(server, wait);
        }

        return await running.ConfigureAwait(false);
    }

    private static async Task<long> WaitAsync(IServer server, ReplicaWait wait) =>
        (long)await server.ExecuteAsync("WAIT", wait.Replicas, wait.Timeout.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture)).ConfigureAwait(false);

    private sealed class Turns
    {
        public Task<long> Running { get; set; } = Task.FromResult(0L);

        public Task<long>? Next { get; set; }
    }
}
