using System.Net;
using System.Text;

namespace LlmPipeline;

/// <summary>The connections of a deployment to its endpoint.</summary>
internal static class EndpointConnections
{
    /// <summary>A handler that neither follows redirects nor decides on retries, with as many connections as there are calls.</summary>
    public static SocketsHttpHandler CreateHandler(Uri endpoint) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        // Whoever sets HTTPS_PROXY means it, but not for an endpoint on this machine.
        UseProxy = !endpoint.IsLoopback,
        AutomaticDecompression = DecompressionMethods.None,
        MaxConnectionsPerServer = int.MaxValue,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        // With HTTP/2 a server says how many calls share a connection, mostly 100; a connection that is gone shall not keep them until their time-out.
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
