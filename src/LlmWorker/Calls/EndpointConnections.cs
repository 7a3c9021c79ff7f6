using System.Net;
using System.Net.Security;
using System.Text;

namespace LlmPipeline;

/// <summary>The connections of a deployment to its endpoint.</summary>
internal static class EndpointConnections
{
    /// <summary>A handler that neither follows redirects nor retries a call, with as many connections as there are calls.</summary>
    /// <param name="options">The deployment's, checked.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="LlmSettingsException">A file of certificates is gone or broken since the options were checked.</exception>
    public static ConnectionHandler CreateHandler(DeploymentOptions options, TimeProvider time)
    {
        // Whoever sets HTTPS_PROXY means it, but not for an endpoint on this machine.
        var proxy = new Uri(options.Endpoint).IsLoopback ? null : EndpointProxy.OfProcess();
        return new ConnectionHandler(CreateSockets(options, proxy), proxy, time);
    }

    private static SocketsHttpHandler CreateSockets(DeploymentOptions options, EndpointProxy? proxy) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = proxy is not null,
        Proxy = proxy,
        SslOptions = new SslClientAuthenticationOptions
        {
            CertificateChainPolicy = EndpointCertificates.Trust(options),
            ClientCertificateContext = EndpointCertificates.Client(options),
        },
        // Also of what was compressed without being asked for. It is decompressed as it is read, and no more is read than an answer may
        // have.
        AutomaticDecompression = DecompressionMethods.All,
        MaxConnectionsPerServer = int.MaxValue,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        // With HTTP/2 a server says how many calls share a connection, mostly 100; a connection that is gone shall not keep them until
        // their time-out.
        EnableMultipleHttp2Connections = true,
        KeepAlivePingDelay = TimeSpan.FromSeconds(60),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(30),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        ConnectTimeout = TimeSpan.FromSeconds(30),
        ActivityHeadersPropagator = null,
        // Job ids are printable, but not always ASCII.
        RequestHeaderEncodingSelector = static (name, _) => name == CallHandler.JobIdHeader ? Encoding.UTF8 : null,
    };
}
