using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Opens the connections of a process, and makes sure that they lead where the address says.</summary>
internal static class RedisConnecting
{
    private const string NoMaster = "no server of it takes writes";
    private static readonly TimeSpan Failover = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <exception cref="RedisUnreachableException">It doesn't answer, or it is not what the address says.</exception>
    public static async Task<RedisLink> OpenAsync(
        ConfigurationOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var shaped = options.Clone();
        // Kept by the copy, unlike those.
        shaped.SslClientAuthenticationOptions = options.SslClientAuthenticationOptions;
        shaped.Defaults = new RedisDefaults();
        var commands = ConnectionMultiplexer.ConnectAsync(shaped);
        var leases = ConnectionMultiplexer.ConnectAsync(shaped);
        try
        {
            await Task.WhenAll(commands, leases).WaitAsync(cancellationToken).ConfigureAwait(false);
            var opened = await commands.ConfigureAwait(false);
            await HasMasterAsync(opened, shaped, time, cancellationToken).ConfigureAwait(false);
            await opened.GetSubscriber().PingAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            if (shaped.DefaultDatabase > 0)
                await RedisDatabaseCheck.RunAsync(shaped, () => MastersOf(opened), time, cancellationToken).ConfigureAwait(false);
            return new RedisLink(opened, await leases.ConfigureAwait(false), shaped, time, logger);
        }
        catch (Exception e)
            when (e is RedisConnectionException or RedisTimeoutException or RedisUnreachableException or RedisCommandException)
        {
            await CloseAsync(commands, leases).ConfigureAwait(false);
            if (e is RedisUnreachableException { Reason: not NoMaster })
                throw;
            var found = shaped.ServiceName is null
                ? await RedisDiagnosis.FindAsync(options, shaped.EndPoints, cancellationToken).ConfigureAwait(false)
                : null;
            throw new RedisUnreachableException(RedisAddress.Describe(options), found?.Reason ?? Reason(e), e, found?.IsSetting ?? false);
        }
        catch (OperationCanceledException)
        {
            // Not awaited: a server that says nothing keeps an opening connection for seconds. It closes itself when it knows.
            _ = CloseAsync(commands, leases);
            throw;
        }
    }

    public static IReadOnlyList<EndPoint> MastersOf(ConnectionMultiplexer connection) =>
        [.. connection.GetServers().Where(server => server.IsConnected && !server.IsReplica).Select(server => server.EndPoint)];

    // After a failover it may take a moment; a replica alone takes no writes ever. An address that may be away is waited for.
    private static async Task HasMasterAsync(
        ConnectionMultiplexer connection, ConfigurationOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (MastersOf(connection).Count == 0)
        {
            if (options.AbortOnConnectFail && time.GetElapsedTime(started) > Failover)
                throw new RedisUnreachableException(RedisAddress.Describe(options), NoMaster, null);
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
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

    private static string Reason(Exception e) => e switch
    {
        RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure } => "it refuses the user or the password",
        _ when e.Message.Contains("NOAUTH", StringComparison.Ordinal) || e.Message.Contains("WRONGPASS", StringComparison.Ordinal) =>
            "it refuses the user or the password",
        RedisUnreachableException unreachable => unreachable.Reason,
        _ => "no answer",
    };
}
