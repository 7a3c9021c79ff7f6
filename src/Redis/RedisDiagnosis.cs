using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Why a Redis cannot be used, as its servers say it.</summary>
/// <param name="Reason">In a few words, without secrets.</param>
/// <param name="IsSetting">Whether the address is at fault.</param>
internal sealed record RedisDiagnosis(string Reason, bool IsSetting)
{
    // What a process opens: two of each kind, and one for writes that wait for replicas.
    private const int Connections = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Handshake = TimeSpan.FromSeconds(2);

    private static readonly RedisDiagnosis Silent = new("no answer", false);

    /// <summary>Asks each server of an address.</summary>
    /// <returns>The first reason that is found; null when all answer as they should.</returns>
    public static async Task<RedisDiagnosis?> FindAsync(
        ConfigurationOptions options, IEnumerable<EndPoint> servers, CancellationToken cancellationToken)
    {
        RedisDiagnosis? found = null;
        foreach (var server in servers)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            try
            {
                if (await OfServerAsync(options, server, patience.Token).ConfigureAwait(false) is { } one)
                    found = found is null || ReferenceEquals(found, Silent) ? one : found;
            }
            catch (Exception e)
                when (e is SocketException or IOException
                    || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                found ??= Silent;
            }
        }

        return found;
    }

    /// <summary>What one answer says that is an error.</summary>
    private static RedisDiagnosis? Of(string answer) => !answer.StartsWith('-') ? null
        : answer.Contains("max number of clients", StringComparison.Ordinal) ? new("it accepts no more clients (maxclients)", false)
        : answer.StartsWith("-NOAUTH", StringComparison.Ordinal) || answer.StartsWith("-WRONGPASS", StringComparison.Ordinal)
            ? new("it refuses the user or the password", false)
        : answer.StartsWith("-NOPERM", StringComparison.Ordinal) ? null
        : new(answer[1..], false);

    private static async Task<RedisDiagnosis?> OfServerAsync(
        ConfigurationOptions options, EndPoint server, CancellationToken cancellationToken)
    {
        if (await OfProtocolAsync(options, server, cancellationToken).ConfigureAwait(false) is { } protocol)
            return protocol;
        // Whether it accepts as many as are needed is seen while they are open.
        var probes = new List<RedisProbe>();
        try
        {
            RedisDiagnosis? found = null;
            for (var n = 0; n < Connections && found is null; n++)
            {
                probes.Add(await RedisProbe.OpenAsync(server, options.Ssl, options, cancellationToken).ConfigureAwait(false));
                found = await OfConnectionAsync(probes[^1], options, cancellationToken).ConfigureAwait(false);
            }

            return found;
        }
        finally
        {
            foreach (var probe in probes)
                await probe.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task<RedisDiagnosis?> OfConnectionAsync(
        RedisProbe probe, ConfigurationOptions options, CancellationToken cancellationToken)
    {
        if (await probe.AuthenticateAsync(options, cancellationToken).ConfigureAwait(false) is { } refusal)
            return refusal.Contains("max number of clients", StringComparison.Ordinal)
                ? Of("-" + refusal)
                : new("it refuses the user or the password", false);
        if (Of(await probe.AskAsync(cancellationToken, "PING").ConfigureAwait(false)) is { } error)
            return error;
        if (await OfDatabaseAsync(probe, options, cancellationToken).ConfigureAwait(false) is { } database)
            return database;
        return await OfRoleAsync(probe, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Why the database of an address cannot be used; null when it can, or none is named.</summary>
    public static async Task<RedisDiagnosis?> OfDatabaseAsync(
        RedisProbe probe, ConfigurationOptions options, CancellationToken cancellationToken)
    {
        if (options.DefaultDatabase is not (> 0 and var database))
            return null;
        var answer = await probe.AskAsync(cancellationToken, "SELECT", $"{database}").ConfigureAwait(false);
        return !answer.StartsWith('-') ? null
            : answer.Contains("cluster", StringComparison.OrdinalIgnoreCase)
                ? new($"a Redis Cluster has no databases, and the address names database {database}", true)
            : new($"database {database} cannot be selected: {answer[1..]}", true);
    }

    // A replica is no fault where another server of the address is its master.
    private static async Task<RedisDiagnosis?> OfRoleAsync(
        RedisProbe probe, ConfigurationOptions options, CancellationToken cancellationToken)
    {
        if (options.EndPoints.Count > 1)
            return null;
        var answer = await probe.AskAsync(cancellationToken, "INFO", "replication").ConfigureAwait(false);
        var lines = answer.Split('\n').Select(line => line.Trim().Split(':', 2)).Where(line => line.Length == 2)
            .ToDictionary(line => line[0], line => line[1]);
        return lines.GetValueOrDefault("role") == "slave"
            ? new($"it is a replica of {lines["master_host"]}:{lines["master_port"]}; name its master", true)
            : null;
    }

    private static async Task<RedisDiagnosis?> OfProtocolAsync(
        ConfigurationOptions options, EndPoint server, CancellationToken cancellationToken)
    {
        // A server that speaks no TLS may wait for the end of what it takes for a line.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Handshake);
        try
        {
            await using var probe = await RedisProbe.OpenAsync(server, options.Ssl, options, patience.Token).ConfigureAwait(false);
            await probe.AskAsync(patience.Token, "PING").ConfigureAwait(false);
            return null;
        }
        catch (AuthenticationException e)
            when (e.Message.Contains("RemoteCertificate", StringComparison.Ordinal)
                || e.Message.Contains("remote certificate", StringComparison.Ordinal))
        {
            return new($"its TLS certificate is refused: {e.Message}", true);
        }
        catch (Exception e)
            when (e is AuthenticationException or IOException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            if (options.Ssl && await AnswersPlainAsync(options, server, cancellationToken).ConfigureAwait(false))
                return new("it does not speak TLS, and the address asks for it (rediss://, ssl=true)", true);
            if (!options.Ssl && await AnswersTlsAsync(server, cancellationToken).ConfigureAwait(false))
                return new("it speaks TLS, and the address does not (rediss://, ssl=true)", true);
            return !options.Ssl || e is OperationCanceledException ? Silent
                : RedisTls.HasCertificate(options) ? new($"it refuses the client's certificate ({Words(e)})", true)
                : new($"it ends the TLS handshake, and probably asks for a client certificate (cert=FILE, key=FILE) ({Words(e)})", true);
        }
    }

    private static string Words(Exception e) => (e.InnerException ?? e).Message.Split('\n')[0];

    private static async Task<bool> AnswersPlainAsync(ConfigurationOptions options, EndPoint server, CancellationToken cancellationToken)
    {
        try
        {
            await using var probe = await RedisProbe.OpenAsync(server, tls: false, options, cancellationToken).ConfigureAwait(false);
            await probe.AskAsync(cancellationToken, "PING").ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return false;
        }
    }

    // Whatever certificate it has, and whether or not it asks for one.
    private static async Task<bool> AnswersTlsAsync(EndPoint server, CancellationToken cancellationToken)
    {
        try
        {
            var any = new ConfigurationOptions { SslClientAuthenticationOptions = AcceptAny };
            await using var probe = await RedisProbe.OpenAsync(server, tls: true, any, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is IOException or SocketException or AuthenticationException)
        {
            // An alert of a server that speaks TLS and wants more.
            return e.ToString().Contains("alert", StringComparison.OrdinalIgnoreCase);
        }

        static System.Net.Security.SslClientAuthenticationOptions AcceptAny(string host) => new()
        {
            TargetHost = host,
#pragma warning disable CA5359 // Nothing is sent on this connection: it only shows whether the port speaks TLS.
            RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
        };
    }
}
