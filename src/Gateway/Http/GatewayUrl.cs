namespace LlmPipeline;

/// <summary>Judges the addresses that a gateway is to listen on.</summary>
internal static class GatewayUrl
{
    /// <exception cref="GatewaySettingsException">One is no address, or reaches beyond this machine without keys.</exception>
    public static void Check(IReadOnlyList<string> urls, ApiKeys keys)
    {
        foreach (var url in urls)
        {
            // Kestrel takes * and + for all addresses of the machine.
            var named = url.Replace("//*", "//0.0.0.0", StringComparison.Ordinal).Replace("//+", "//0.0.0.0", StringComparison.Ordinal);
            if (!Uri.TryCreate(named, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttp || uri.PathAndQuery != "/")
                throw new GatewaySettingsException($"--urls {url}: http://HOST:PORT is needed (TLS is a matter of a proxy before the gateway)");
            if (keys.IsOpen && !AccessGate.IsLoopback(uri.Host))
                throw new GatewaySettingsException($"--urls {url}: without API keys a gateway listens on this machine only (127.0.0.1, localhost); set Gateway:ApiKeys, or LLMPIPE__Gateway__ApiKeys__0");
        }
    }
}
