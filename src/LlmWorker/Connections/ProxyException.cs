using System.Net;

namespace LlmPipeline;

/// <summary>A call came no further than the proxy, or broke off between it and the endpoint.</summary>
/// <param name="proxy">The proxy; its user and password are left out.</param>
/// <param name="error">What failed.</param>
/// <param name="status">What the proxy answered; null when it did not.</param>
/// <param name="inner">What .NET said of it; null where the proxy answered like an endpoint.</param>
internal sealed class ProxyException(Uri proxy, HttpRequestError error, HttpStatusCode? status, Exception? inner)
    : HttpRequestException(error, $"The proxy {proxy.Host}:{proxy.Port} failed: {error}", inner, status)
{
    /// <summary>host:port.</summary>
    public string Proxy { get; } = $"{proxy.Host}:{proxy.Port}";
}
