using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace LlmPipeline;

/// <summary>
/// Kestrel without a running host around it: no middleware, no console log, and above all no signal handlers, so that Ctrl+C
/// stays with the program that the simulator runs in.
/// </summary>
internal sealed class SimulatorServer(WebApplication host, IServer server, X509Certificate2? certificate) : IAsyncDisposable
{
    /// <summary>The largest body that is read, in bytes.</summary>
    public const long MaxBodySize = 64L * 1024 * 1024;

    // What still runs when the server stops may end within this; then its connection is closed.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    // Thousands who connect at once wait for each other's handshakes.
    private static readonly TimeSpan Handshake = TimeSpan.FromMinutes(1);

    // A worker with thousands of slots connects all at once; who finds the queue full tries again only after a second. The kernel takes the less of this and its own limit.
    private const int Backlog = 16_384;

    /// <summary>Where it listens, as a client names it: <c>http://127.0.0.1:PORT/</c>.</summary>
    public required Uri Address { get; init; }

    /// <summary>What clients are to trust, as PEM; null without https.</summary>
    public string? CertificatePem => certificate?.ExportCertificatePem();

    /// <summary>Listens; with <paramref name="https"/> it speaks HTTP/2 with whoever wants to.</summary>
    /// <exception cref="IOException">The port is taken, or the address is not this machine's.</exception>
    /// <exception cref="ArgumentException">The host is no address.</exception>
    public static async Task<SimulatorServer> StartAsync(string host, int port, bool https, RequestDelegate handle, CancellationToken cancellationToken)
    {
        var ip = AddressOf(host);
        var certificate = https ? SimulatorCertificate.Create(ip) : null;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().UseSockets(sockets => sockets.Backlog = Backlog).ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodySize;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(ip, port, listen =>
            {
                listen.Protocols = certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                if (certificate is not null)
                    listen.UseHttps(certificate, tls => tls.HandshakeTimeout = Handshake);
            });
        });
        var application = builder.Build();
        var server = application.Services.GetRequiredService<IServer>();
        try
        {
            await server.StartAsync(new Application(handle), cancellationToken);
        }
        catch (Exception e)
        {
            await application.DisposeAsync();
            certificate?.Dispose();
            if (e is System.Net.Sockets.SocketException)
                throw new IOException($"Cannot listen on {host}:{port}: {e.Message}", e);
            throw;
        }

        var bound = new Uri(server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
        return new SimulatorServer(application, server, certificate) { Address = new UriBuilder(bound.Scheme, Reachable(ip), bound.Port).Uri };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var grace = new CancellationTokenSource(Grace);
        await server.StopAsync(grace.Token);
        await host.DisposeAsync();
        certificate?.Dispose();
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
