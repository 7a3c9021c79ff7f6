using System.Text.Json;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class CallingOverHttps : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task Calls_go_over_Http2_where_the_endpoint_has_it()
    {
        await using var endpoint = await TrustedAsync(new SimulatorOptions { Https = true, Latency = TimeSpan.FromMilliseconds(200), CountTokens = false });
        _llmpipe.Write("in.jsonl", Rows.BatchLines(600));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--concurrency", "250");

        Assert.True(exitCode == 0, error);
        Assert.Equal(600, _llmpipe.Lines("in.results.jsonl").Length);
        var stats = endpoint.Stats;
        // More than one connection takes, which is 100.
        Assert.InRange(stats.MaxInFlight, 150, 250);
        Assert.Equal((600, 600, 0), (stats.Calls, stats.CallsOverHttp2, stats.PaidTwice));
    }

    [Fact]
    public async Task An_endpoint_without_Http2_is_called_over_Http1()
    {
        await using var endpoint = await TrustedAsync(new SimulatorOptions { Https = true, CountTokens = false });
        // The runtime's own switch: as if the endpoint did not have it.
        _llmpipe.Environment["DOTNET_SYSTEM_NET_HTTP_SOCKETSHTTPHANDLER_HTTP2SUPPORT"] = "0";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(20));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Equal((20, 0), (endpoint.Stats.Completed, endpoint.Stats.CallsOverHttp2));
    }

    [Fact]
    public async Task Every_row_completes_over_Http2_while_a_fifth_of_the_calls_fail()
    {
        await using var endpoint = await TrustedAsync(new SimulatorOptions { Https = true, FailShare = 0.2, CountTokens = false });
        _llmpipe.Write("in.jsonl", Rows.BatchLines(100));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--attempt-timeout", "1", "--max-attempts", "20", "--concurrency", "64");

        Assert.True(exitCode == 0, error);
        Assert.Equal(100, _llmpipe.Lines("in.results.jsonl").Length);
        Assert.False(_llmpipe.Exists("in.errors.jsonl"));
        var stats = endpoint.Stats;
        Assert.True(stats.Faults.Values.Sum() > 10);
        Assert.Equal((stats.Calls, 0), (stats.CallsOverHttp2, stats.PaidTwice));
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_ends_the_run_and_says_so_and_another_run_goes_on()
    {
        await using var endpoint = await TrustedAsync(new SimulatorOptions { Https = true, CountTokens = false });
        _llmpipe.Environment.Remove("SSL_CERT_FILE");
        _llmpipe.Write("in.jsonl", Rows.BatchLines(20));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode is not 0, error);
        Assert.Contains("the endpoint's TLS certificate is refused: The remote certificate is invalid", error, StringComparison.Ordinal);
        Assert.Equal(0, endpoint.Stats.Calls);

        _llmpipe.Environment["SSL_CERT_FILE"] = _llmpipe.PathOf("endpoint.pem");
        (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");
        Assert.True(exitCode == 0, error);
        Assert.Equal((20, 20), (_llmpipe.Lines("in.results.jsonl").Length, endpoint.Stats.Calls));
    }

    [Fact]
    public async Task An_authority_of_the_settings_is_trusted_without_any_of_the_system()
    {
        await using var endpoint = await TrustedAsync(new SimulatorOptions { Https = true, CountTokens = false });
        _llmpipe.Environment.Remove("SSL_CERT_FILE");
        _llmpipe.Environment.Remove("OPENAI_BASE_URL");
        _llmpipe.Write("llmpipe.json", Rows.Json(new
        {
            Deployments = new[] { new { Name = "one", Endpoint = endpoint.BaseUrl.ToString(), CertificateAuthority = "endpoint.pem", Headers = new Dictionary<string, string> { ["X-Team"] = "a" } } },
        }));
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Equal(3, endpoint.Stats.Completed);
    }

    [Fact]
    public async Task A_certificate_that_is_not_there_is_a_wrong_setting()
    {
        _llmpipe.Environment["LLMPIPE__Deployments__0__Name"] = "one";
        _llmpipe.Environment["LLMPIPE__Deployments__0__Endpoint"] = "https://localhost/v1";
        _llmpipe.Environment["LLMPIPE__Deployments__0__ClientCertificate"] = "no.pem";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.Equal(2, exitCode);
        Assert.Contains("Deployments[one].ClientCertificate: no.pem: there is no such file", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_simulator_as_a_program_writes_its_certificate_and_says_where_it_listens()
    {
        using var process = _llmpipe.Start("simulate", "--https", "cert.pem", "--json");
        try
        {
            var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
            using var said = JsonDocument.Parse(line!);
            var url = said.RootElement.GetProperty("base_url").GetString()!;
            Assert.StartsWith("https://127.0.0.1:", url, StringComparison.Ordinal);
            _llmpipe.Environment["SSL_CERT_FILE"] = _llmpipe.PathOf("cert.pem");
            _llmpipe.Environment["OPENAI_BASE_URL"] = url;
            _llmpipe.Write("in.jsonl", Rows.BatchLines(3));
            var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");
            Assert.True(exitCode == 0, error);
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public async Task A_certificate_that_cannot_be_written_is_an_error()
    {
        var (exitCode, _, error) = await _llmpipe.RunAsync("simulate", "--https", "no/such/folder.pem");
        Assert.Equal(1, exitCode);
        Assert.Contains("--https: no/such/folder.pem cannot be written", error, StringComparison.Ordinal);
    }

    /// <summary>An endpoint that the runs of this test call, and whose certificate they trust.</summary>
    private async Task<LlmSimulator> TrustedAsync(SimulatorOptions options)
    {
        var endpoint = await LlmSimulator.StartAsync(options);
        _llmpipe.Write("endpoint.pem", endpoint.CertificatePem!);
        _llmpipe.Environment["SSL_CERT_FILE"] = _llmpipe.PathOf("endpoint.pem");
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        return endpoint;
    }
}
