using LlmPipeline.Tests;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class CallingThroughAProxy : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public CallingThroughAProxy()
    {
        // Whatever the machine of the test has set.
        foreach (var name in (string[])["http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"])
            _llmpipe.Environment[name] = "";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(5));
    }

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task Calls_go_through_the_proxy_of_the_environment()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        await using var proxy = new RawProxy(endpoint.BaseUrl.Port);
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://api.internal.test/v1";
        _llmpipe.Environment["HTTP_PROXY"] = $"http://{proxy.Address}";

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Equal(5, endpoint.Stats.Completed);
        Assert.All(
            proxy.Requests,
            head => Assert.StartsWith("POST http://api.internal.test/v1/chat/completions HTTP/1.1", head, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_domain_of_NO_PROXY_covers_its_subdomains()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        await using var proxy = new RawProxy(endpoint.BaseUrl.Port);
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://api.internal.test/v1";
        _llmpipe.Environment["HTTP_PROXY"] = $"http://{proxy.Address}";
        _llmpipe.Environment["NO_PROXY"] = "internal.test";

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--max-attempts", "1");

        // No such host is known here, which is what a direct call finds out.
        Assert.True(exitCode is 1 or 3, error);
        Assert.Empty(proxy.Requests);
    }

    [Fact]
    public async Task A_proxy_that_wants_another_password_burns_no_row_and_is_named_without_it()
    {
        await using var proxy = new RawProxy(_ => RawProxy.Answer(407, "Proxy-Authenticate: Basic realm=\"x\""));
        _llmpipe.Environment["OPENAI_BASE_URL"] = "https://api.internal.test/v1";
        _llmpipe.Environment["HTTPS_PROXY"] = $"http://user:geheim@{proxy.Address}";

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 1, error);
        Assert.Contains($"the proxy {proxy.Address} wants a user and password (HTTP 407)", error, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", error, StringComparison.Ordinal);
        Assert.False(_llmpipe.Exists("in.errors.jsonl"));
        Assert.All(proxy.Requests, head => Assert.StartsWith("CONNECT api.internal.test:443 ", head, StringComparison.Ordinal));
    }

    [Fact]
    public async Task While_nothing_succeeds_the_progress_names_the_failure()
    {
        _llmpipe.Environment["OPENAI_BASE_URL"] = "https://api.internal.test/v1";
        _llmpipe.Environment["HTTPS_PROXY"] = "http://127.0.0.1:9";
        using var process = _llmpipe.Start("run", "in.jsonl", "--max-attempts", "1000");
        try
        {
            string? line;
            do
                line = await process.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2));
            while (line?.Contains(" done ", StringComparison.Ordinal) == false);

            Assert.Matches("the proxy 127.0.0.1:9 cannot be reached(; tried again at [0-9:]+)?$", line);
        }
        finally
        {
            process.Kill();
        }
    }
}
