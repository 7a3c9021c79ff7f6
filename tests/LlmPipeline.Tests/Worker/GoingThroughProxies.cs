using System.Net;
using System.Net.Sockets;

namespace LlmPipeline.Tests;

/// <summary>What a <see cref="ConnectionHandler"/> and <see cref="ConnectionFailures"/> make of proxies.</summary>
public sealed class GoingThroughProxies
{
    private const string Https = "https://api.example.test/v1/chat/completions";
    private const string Http = "http://api.example.test/v1/chat/completions";

    [Theory]
    [InlineData(407, "DeploymentFault", "proxy_authentication_required", false)]
    [InlineData(403, "DeploymentFault", "proxy_refused", false)]
    [InlineData(404, "DeploymentFault", "proxy_refused", false)]
    [InlineData(302, "DeploymentFault", "proxy_refused", false)]
    [InlineData(429, "Transient", "proxy_refused", true)]
    [InlineData(500, "Transient", "proxy_refused", true)]
    [InlineData(502, "Transient", "proxy_refused", true)]
    [InlineData(503, "Transient", "proxy_refused", true)]
    [InlineData(504, "Transient", "proxy_refused", true)]
    public async Task What_a_proxy_answers_to_CONNECT_is_reported_as_the_proxys(int status, string kind, string code, bool isDown)
    {
        await using var proxy = new RawProxy(_ => RawProxy.Answer(status, "Proxy-Authenticate: Basic realm=\"x\""));

        var found = await FailAsync(Https, $"http://user:secret@{proxy.Address}");

        Assert.Equal((kind, code, isDown), (found.Kind.ToString(), found.Code, found.IsDown));
        Assert.Contains($"the proxy {proxy.Address}", found.Message, StringComparison.Ordinal);
        Assert.Contains($"HTTP {status}", found.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(407, "Proxy-Authenticate: Basic realm=\"x\"", "proxy_authentication_required")]
    [InlineData(403, "X-Squid-Error: ERR_ACCESS_DENIED 0", "proxy_refused")]
    [InlineData(503, "X-Squid-Error: ERR_CONNECT_FAIL 111", "proxy_refused")]
    [InlineData(502, "Proxy-Status: corporate; error=dns_error", "proxy_refused")]
    public async Task Of_an_http_endpoint_an_error_that_a_proxy_signs_is_the_proxys(int status, string header, string code)
    {
        await using var proxy = new RawProxy(_ => RawProxy.Answer(status, header));

        var found = await FailAsync(Http, $"http://{proxy.Address}");

        Assert.Equal(code, found.Code);
        Assert.Contains($"the proxy {proxy.Address}", found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(403)]
    [InlineData(502)]
    public async Task An_error_that_nobody_signs_is_the_http_endpoints(int status)
    {
        await using var proxy = new RawProxy(_ => RawProxy.Answer(status, "Via: 1.1 somebody"));
        using var http = Client($"http://{proxy.Address}");

        using var response = await http.SendAsync(Post(Http));

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData(Https, "http://127.0.0.1:9", "the proxy 127.0.0.1:9 cannot be reached")]
    [InlineData(Http, "http://127.0.0.1:9", "the proxy 127.0.0.1:9 cannot be reached")]
    [InlineData(Https, "http://proxy.invalid:3128", "the host name of the proxy proxy.invalid:3128 was not found")]
    [InlineData(Http, "http://proxy.invalid:3128", "the host name of the proxy proxy.invalid:3128 was not found")]
    public async Task A_proxy_that_is_down_or_unknown_is_named_and_costs_nothing(string target, string proxy, string said)
    {
        var found = await FailAsync(target, proxy);

        Assert.Equal((OutcomeKind.Transient, "proxy_unreachable", true), (found.Kind, found.Code, found.IsDown));
        Assert.Equal(said, found.Message);
    }

    [Theory]
    [InlineData(Https)]
    [InlineData(Http)]
    public async Task A_proxy_that_hangs_up_is_named(string target)
    {
        await using var proxy = new RawProxy(_ => null);

        var found = await FailAsync(target, $"http://{proxy.Address}");

        Assert.Equal((OutcomeKind.Transient, "connection_error"), (found.Kind, found.Code));
        Assert.Contains($"through the proxy {proxy.Address}", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_that_never_answers_is_named()
    {
        // The kernel accepts, and nobody reads.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();

        var found = await FailAsync(Https, $"http://{silent.LocalEndpoint}", TimeSpan.FromSeconds(1));

        Assert.Equal((OutcomeKind.Transient, "proxy_unreachable", true), (found.Kind, found.Code, found.IsDown));
        Assert.Equal($"the proxy {silent.LocalEndpoint} made no connection in time", found.Message);
    }

    [Fact]
    public async Task A_socks_proxy_that_makes_no_connection_is_named()
    {
        var found = await FailAsync(Https, "socks5://127.0.0.1:9");

        Assert.Equal(OutcomeKind.Transient, found.Kind);
        Assert.Contains("the proxy 127.0.0.1:9", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Past_the_proxy_nothing_is_blamed_on_it()
    {
        var proxy = new EndpointProxy(new WebProxy("http://127.0.0.1:9"), new NoProxyList("example.test"));
        using var http = new HttpClient(new ConnectionHandler(new SocketsHttpHandler { Proxy = proxy }, proxy, TimeProvider.System));

        var failure = await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.SendAsync(Post(Https)));

        Assert.Equal("the endpoint's host name was not found", ConnectionFailures.Classify(failure).Message);
    }

    private static async Task<Classified> FailAsync(string target, string proxy, TimeSpan? connectTimeout = null)
    {
        using var http = Client(proxy, connectTimeout);
        var failure = await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.SendAsync(Post(target)));
        return ConnectionFailures.Classify(failure);
    }

    private static HttpClient Client(string proxy, TimeSpan? connectTimeout = null)
    {
        var uri = new Uri(proxy);
        var web = new WebProxy(new Uri($"{uri.Scheme}://{uri.Authority}"));
        if (uri.UserInfo.Split(':') is [var user, var password])
            web.Credentials = new NetworkCredential(user, password);
        return new HttpClient(
            new ConnectionHandler(
                new SocketsHttpHandler
                {
                    Proxy = web,
                    AllowAutoRedirect = false,
                    ConnectTimeout = connectTimeout ?? TimeSpan.FromSeconds(20),
                },
                web,
                TimeProvider.System));
    }

    private static HttpRequestMessage Post(string target) => new(HttpMethod.Post, target) { Content = new StringContent("{}") };
}
