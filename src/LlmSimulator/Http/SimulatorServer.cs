using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace LlmPipeline;

/// <summary>
/// Kestrel without a host around it: no container, no middleware, no console log, and above all no signal handlers, so that Ctrl+C
/// stays with the program that the simulator runs in.
/// </summary>
internal sealed class SimulatorServer : IAsyncDisposable
{
    /// <summary>The largest body that is read, in bytes.</summary>
    public const long MaxBodySize = 64L * 1024 * 1024;

    // What still runs when the server stops may end within this; then its connection is closed.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    // A worker with thousands of slots connects all at once; who finds the queue full tries again only after a second. The kernel takes the less of this and its own limit.
    private const int Backlog = 16_384;

    private readonly KestrelServer _server;

    private SimulatorServer(KestrelServer server) => _server = server;

    /// <summary>Where it listens, as a client names it: <c>http://127.0.0.1:PORT/</c>.</summary>
    public required Uri Address { get; init; }

    /// <summary>Listens.</summary>
    /// <exception cref="IOException">The port is taken, or the address is not this machine's.</exception>
    /// <exception cref="ArgumentException">The host is no address.</exception>
    public static async Task<SimulatorServer> StartAsync(string host, int port, RequestDelegate handle, CancellationToken cancellationToken)
    {
        var kestrel = new KestrelServerOptions { AddServerHeader = false };
        kestrel.Limits.MaxRequestBodySize = MaxBodySize;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        var ip = AddressOf(host);
        kestrel.Listen(ip, port, listen => listen.Protocols = HttpProtocols.Http1);
        var transport = new SocketTransportFactory(Options.Create(new SocketTransportOptions { Backlog = Backlog }), NullLoggerFactory.Instance);
        var server = new KestrelServer(Options.Create(kestrel), transport, NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(new Application(handle), cancellationToken);
        }
        catch (Exception e)
        {
            server.Dispose();
            if (e is System.Net.Sockets.SocketException)
                throw new IOException($"Cannot listen on {host}:{port}: {e.Message}", e);
            throw;
        }
        var bound = new Uri(server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
        return new SimulatorServer(server) { Address = new UriBuilder(Uri.UriSchemeHttp, Reachable(ip), bound.Port).Uri };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var grace = new CancellationTokenSource(Grace);
        await _server.StopAsync(grace.Token);
        _server.Dispose();
    }

    private static IPAddress AddressOf(string host) => host switch
    {
        "localhost" => IPAddress.Loopback,
        "*" => IPAddress.IPv6Any,
        _ => IPAddress.TryParse(host, out var ip) ? ip : throw new ArgumentException($"'{host}' is no IP address, nor localhost or *."),
    };

    private static string Reachable(IPAddress ip)
    {
        if (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any))
            return IPAddress.Loopback.ToString();
        return ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{ip}]" : ip.ToString();
    }

    private sealed class Application(RequestDelegate handle) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => handle(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
    }
}
