using System.Net;

namespace LlmPipeline;

/// <summary>
/// The proxy of this process as .NET finds it (<c>HTTPS_PROXY</c>, <c>HTTP_PROXY</c>, <c>ALL_PROXY</c> in either case, else the system's),
/// with the exceptions of <c>NO_PROXY</c> as curl reads them: .NET alone wants a leading dot before a domain whose subdomains it shall
/// cover.
/// </summary>
/// <param name="system">What .NET says.</param>
/// <param name="exceptions">The hosts that are called without a proxy.</param>
internal sealed class EndpointProxy(IWebProxy system, NoProxyList exceptions) : IWebProxy
{
    public ICredentials? Credentials
    {
        get => system.Credentials;
        set => system.Credentials = value;
    }

    /// <summary>The proxy of this process and its environment.</summary>
    public static EndpointProxy OfProcess() => new(HttpClient.DefaultProxy, NoProxyList.Read(Environment.GetEnvironmentVariable));

    public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : system.GetProxy(destination);

    public bool IsBypassed(Uri host) => exceptions.Covers(host) || system.IsBypassed(host);
}
