using System.Net;

namespace LlmPipeline;

/// <summary>
/// Between a call and its connection. Errors of a proxy are distinguished from those of the endpoint, and a TLS fault is met a second time,
/// on a fresh connection, before it counts: one name may have many nodes, and one of them may have an expired certificate.
/// </summary>
/// <param name="sockets">The connections.</param>
/// <param name="proxy">The proxy that they go through; null for none.</param>
/// <param name="time">The clock.</param>
internal sealed class ConnectionHandler(HttpMessageHandler sockets, IWebProxy? proxy, TimeProvider time) : DelegatingHandler(sockets)
{
    // An answer that is older says little about the nodes of now.
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(10);

    private long _answered = long.MinValue;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var through = request.RequestUri is { } uri && proxy?.IsBypassed(uri) == false ? proxy.GetProxy(uri) : null;
        try
        {
            var response = await SendTwiceAsync(request, cancellationToken);
            if (through is not null && IsProxys(request, response))
            {
                using (response)
                    throw new ProxyException(through, HttpRequestError.ProxyTunnelError, response.StatusCode, null);
            }

            Volatile.Write(ref _answered, time.GetTimestamp());
            return response;
        }
        catch (HttpRequestException e) when (through is not null
            && e is not (TlsException or ProxyException)
            && e.HttpRequestError != HttpRequestError.SecureConnectionError)
        {
            // Whatever could not be connected to was the proxy: the endpoint is the proxy's to reach.
            throw new ProxyException(through, e.HttpRequestError, e.StatusCode, e);
        }
        catch (OperationCanceledException e) when (through is not null
            && e.InnerException is TimeoutException
            && !cancellationToken.IsCancellationRequested)
        {
            // The connect timeout, which bounds the tunnel too.
            throw new ProxyException(through, HttpRequestError.ProxyTunnelError, null, e);
        }
    }

    // A connection that failed is never used again, so the second attempt makes its own.
    private async Task<HttpResponseMessage> SendTwiceAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e) when (TlsFailure.Of(e) is { IsFault: true })
        {
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            catch (HttpRequestException second) when (TlsFailure.Of(second) is { IsFault: true } failure)
            {
                var answered = Volatile.Read(ref _answered);
                throw new TlsException(failure, answered == long.MinValue || time.GetElapsedTime(answered) > Recent, second);
            }
        }
    }

    // Only a proxy asks for credentials with a 407 (RFC 9110, 15.5.8). Of other errors of an http endpoint a proxy is the author where it
    // says so: Squid does in a header of its own, others in Proxy-Status (RFC 9209). Through a tunnel to an https endpoint comes what the
    // endpoint says.
    private static bool IsProxys(HttpRequestMessage request, HttpResponseMessage response) =>
        request.RequestUri?.Scheme == Uri.UriSchemeHttp && (int)response.StatusCode >= 400
        && (response.StatusCode == HttpStatusCode.ProxyAuthenticationRequired
            || response.Headers.Contains("X-Squid-Error")
            || (
                response.Headers.TryGetValues("Proxy-Status", out var states)
                    && states.Any(state => state.Contains("error=", StringComparison.OrdinalIgnoreCase))));
}
