using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Makes sure of the database that an address names. StackExchange.Redis sends a SELECT and does not wait for its answer: where it is
/// refused, all that follows is for database 0, which is somebody else's.
/// </summary>
internal static class RedisDatabaseCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Asks until every server answers.</summary>
    /// <exception cref="RedisUnreachableException">It cannot be selected.</exception>
    public static async Task RunAsync(
        ConfigurationOptions options, Func<IReadOnlyList<EndPoint>> servers, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            try
            {
                var some = servers();
                foreach (var server in some)
                    await AskAsync(options, server, patience.Token).ConfigureAwait(false);
                if (some.Count > 0)
                    return;
            }
            catch (Exception e) when (e is SocketException or IOException or AuthenticationException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                // It is away again.
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task AskAsync(ConfigurationOptions options, EndPoint server, CancellationToken cancellationToken)
    {
        await using var probe = await RedisProbe.OpenAsync(server, options.Ssl, options, cancellationToken).ConfigureAwait(false);
        if (await probe.AuthenticateAsync(options, cancellationToken).ConfigureAwait(false) is { } refusal)
            throw new IOException(refusal);
        if (await RedisDiagnosis.OfDatabaseAsync(probe, options, cancellationToken).ConfigureAwait(false) is not { } found)
            return;
        // It loads its data, or has no room for one more client.
        if (found.Reason.Contains("LOADING", StringComparison.Ordinal)
            || found.Reason.Contains("max number of clients", StringComparison.Ordinal))
            throw new IOException(found.Reason);
        throw new RedisUnreachableException(RedisAddress.Describe(options), found.Reason, null, found.IsSetting);
    }
}
