using System.Net;

namespace LlmPipeline.Tests;

/// <summary><see cref="NoProxyList"/> against curl's rules: https://curl.se/libcurl/c/CURLOPT_NOPROXY.html.</summary>
public sealed class ReadingNoProxy
{
    [Theory]
    // The examples of curl's page.
    [InlineData("ample.com", "https://ample.com", true)]
    [InlineData("ample.com", "https://ample.com:80", true)]
    [InlineData("ample.com", "https://www.ample.com", true)]
    [InlineData("ample.com", "https://www.example.com", false)]
    [InlineData("ample.com", "https://ample.com.org", false)]
    [InlineData("example.com,::1,localhost", "http://[::1]:8080", true)]
    [InlineData("192.168.0.0/16", "http://192.168.3.4", true)]
    [InlineData("192.168.0.0/16", "http://192.169.3.4", false)]
    [InlineData("*", "https://anything.test", true)]
    // Leading and trailing dots, case, blanks.
    [InlineData(".internal.test", "https://api.internal.test", true)]
    [InlineData(".internal.test", "https://internal.test", true)]
    [InlineData("internal.test.", "https://api.internal.test", true)]
    [InlineData("Internal.Test", "https://API.internal.TEST", true)]
    [InlineData("internal.test", "https://api.internal.test.", true)]
    [InlineData("internal.test", "https://notinternal.test", false)]
    [InlineData(" a.test , b.test ", "https://x.b.test", true)]
    [InlineData("a.test b.test", "https://b.test", true)]
    [InlineData("*.internal.test", "https://api.internal.test", true)]
    [InlineData("api*.internal.test", "https://api1.internal.test", false)]
    [InlineData("", "https://api.internal.test", false)]
    [InlineData(null, "https://api.internal.test", false)]
    [InlineData(",,.", "https://api.internal.test", false)]
    // Addresses.
    [InlineData("10.1.2.3", "http://10.1.2.3:8000", true)]
    [InlineData("10.1.2.3", "http://110.1.2.3", false)]
    [InlineData("2.3", "http://10.1.2.3", false)]
    [InlineData("10.1.2.3/8", "http://10.200.0.1", true)]
    [InlineData("10.0.0.0/33", "http://10.0.0.1", false)]
    [InlineData("10.0.0.0/x", "http://10.0.0.1", false)]
    [InlineData("0.0.0.0/0", "http://8.8.8.8", true)]
    [InlineData("fd00::/8", "http://[fd12:3456::1]", true)]
    [InlineData("fd00::/8", "http://[fe80::1]", false)]
    [InlineData("10.0.0.0/8", "https://ten.test", false)]
    // Ports.
    [InlineData("internal.test:8443", "https://api.internal.test:8443", true)]
    [InlineData("internal.test:8443", "https://api.internal.test", false)]
    [InlineData("10.1.2.3:80", "http://10.1.2.3", true)]
    [InlineData("[::1]:8080", "http://[::1]:8080", true)]
    [InlineData("[::1]:8080", "http://[::1]:9090", false)]
    public void A_host_is_covered_as_curl_does_it(string? list, string destination, bool isCovered) =>
        Assert.Equal(isCovered, new NoProxyList(list).Covers(new Uri(destination)));

    [Fact]
    public void The_variable_in_lower_case_goes_first_unless_it_is_empty()
    {
        var both = NoProxyList.Read(name => name switch { "no_proxy" => "lower.test", "NO_PROXY" => "upper.test", _ => null });
        var empty = NoProxyList.Read(name => name switch { "no_proxy" => "", "NO_PROXY" => "upper.test", _ => null });
        var upper = NoProxyList.Read(name => name == "NO_PROXY" ? "upper.test" : null);

        Assert.Equal(
            [true, false, true, true],
            [
                both.Covers(new Uri("https://lower.test")),
                both.Covers(new Uri("https://upper.test")),
                empty.Covers(new Uri("https://upper.test")),
                upper.Covers(new Uri("https://upper.test"))]);
    }

    [Fact]
    public void What_the_system_bypasses_stays_bypassed_and_the_credentials_are_its_own()
    {
        var system = new WebProxy(
            "http://proxy.test:3128", BypassOnLocal: false, ["^http://plain\\.test"])
        { Credentials = new NetworkCredential("user", "x") };
        var proxy = new EndpointProxy(system, new NoProxyList("internal.test"));

        Assert.Null(proxy.GetProxy(new Uri("http://api.internal.test")));
        Assert.Null(proxy.GetProxy(new Uri("http://plain.test")));
        Assert.Equal(new Uri("http://proxy.test:3128"), proxy.GetProxy(new Uri("http://other.test")));
        Assert.Same(system.Credentials, proxy.Credentials);
    }
}
