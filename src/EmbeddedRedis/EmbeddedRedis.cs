using System.Net;
using System.Security.Cryptography;
using Garnet;

namespace LlmPipeline;

/// <summary>
/// A Redis-compatible store inside this process, for working through a file without a server. It listens on loopback on a free port behind a
/// random password, keeps everything in memory, writes no file, prints nothing, and is gone when it is disposed or the process ends.
/// Several may run in one process at the same time. It knows Lua scripts and pub/sub, but no cluster, streams, functions or persistence.
/// </summary>
/// <remarks>
/// What a client has to know: a script must declare every key that it touches, because only declared keys are locked; and each key that is
/// ever created costs about 200 bytes until the store is disposed, also after it was deleted (hash fields and list entries are given back).
/// </remarks>
public sealed class EmbeddedRedis : IAsyncDisposable
{
    private const int StartAttempts = 8;
    private readonly GarnetServer _server;
    private int _disposed;

    private EmbeddedRedis(GarnetServer server, int port, string password)
    {
        _server = server;
        Endpoint = $"{IPAddress.Loopback}:{port}";
        Configuration = $"{Endpoint},password={password}";
    }

    /// <summary>A StackExchange.Redis configuration string with the address and the password; not for logs.</summary>
    public string Configuration { get; }

    /// <summary>The address as <c>127.0.0.1:port</c>, without the password.</summary>
    public string Endpoint { get; }

    /// <summary>Starts a store; it accepts connections when the task is done, after a fraction of a second.</summary>
    /// <param name="options">How to start it; null for the defaults.</param>
    /// <param name="cancellationToken">Stops the start: what was already started is disposed.</param>
    /// <exception cref="EmbeddedRedisException">It could not be started; the message says why in one line.</exception>
    public static async Task<EmbeddedRedis> StartAsync(EmbeddedRedisOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new EmbeddedRedisOptions();
        for (var attempt = 1; ; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // Between choosing a free port and Garnet's bind another process can take it: then another port is tried.
            var port = options.Port == 0 ? LoopbackPort.ChooseFree() : options.Port;
            var password = RandomNumberGenerator.GetHexString(64, lowercase: true);
            var log = new GarnetLog(options.Logger);
            try
            {
                // Garnet starts synchronously.
                var server = await Task.Run(() => Start(port, password, log), cancellationToken);
                var store = new EmbeddedRedis(server, port, password);
                if (!cancellationToken.IsCancellationRequested)
                    return store;
                await store.DisposeAsync();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                var taken = LoopbackPort.IsTaken(port);
                if (taken && options.Port == 0 && attempt < StartAttempts)
                    continue;
                var reason = taken ? $"port {port} of {IPAddress.Loopback} is in use" : log.FirstError ?? e.Message.ReplaceLineEndings(" ");
                throw new EmbeddedRedisException($"the embedded Redis store did not start: {reason}", e);
            }
        }
    }

    /// <summary>Stops the store and forgets its content; connections to it break. Disposing it again does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            await Task.Run(_server.Dispose);
    }

    private static GarnetServer Start(int port, string password, GarnetLog log)
    {
        var server = new GarnetServer(GarnetOptions.For(port, password), log);
        try
        {
            server.Start();
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }
}
