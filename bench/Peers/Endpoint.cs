using System.Net.Http.Json;
using System.Text.Json;

namespace LlmPipeline.Bench;

/// <summary>The simulator as a process of its own: no faults, no limits, the same latency for each call.</summary>
internal sealed class Endpoint : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _http;

    private Endpoint(ChildProcess process, Uri url, string? certificate)
    {
        _process = process;
        Url = url;
        // It is on this machine, and a child of this process.
        _http = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator });
        Environment = certificate is null ? [] : new() { ["SSL_CERT_FILE"] = certificate };
    }

    /// <summary>What a process needs to call it.</summary>
    public Dictionary<string, string> Environment { get; }

    /// <summary>Scheme, host and port.</summary>
    public Uri Url { get; }

    /// <param name="latency">Of each call, ms.</param>
    /// <param name="certificate">For https: where it writes its certificate.</param>
    /// <param name="options">More options of <c>llmpipe simulate</c>.</param>
    public static async Task<Endpoint> StartAsync(int latency, string? certificate = null, params string[] options)
    {
        var (
            process,
            line) = await ChildProcess.LlmpipeAsync([
                "simulate",
                "--json",
                "--latency",
                Words.Of(latency),
                .. certificate is null ? [] : (string[])["--https", certificate],
                .. options],
            new Dictionary<string, string>(), "\"url\"");
        using var json = JsonDocument.Parse(line);
        return new Endpoint(process, new Uri(json.RootElement.GetProperty("url").GetString()!), certificate);
    }

    /// <summary>Calls that it is answering now.</summary>
    public async Task<long> InFlightAsync() => (await _http.GetFromJsonAsync<JsonElement>(new Uri(Url, "stats"))).GetProperty("inFlight").GetInt64();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }
}
