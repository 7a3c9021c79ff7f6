using System.Net.Http.Json;
using System.Text.Json;

namespace LlmPipeline.Bench;

/// <summary>The simulator as a process of its own: no faults, no limits, the same latency for each call.</summary>
internal sealed class Endpoint : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _http = new();

    private Endpoint(ChildProcess process, Uri url)
    {
        _process = process;
        Url = url;
    }

    /// <summary>Scheme, host and port.</summary>
    public Uri Url { get; }

    /// <param name="latency">Of each call, ms.</param>
    public static async Task<Endpoint> StartAsync(int latency)
    {
        var (process, line) = await ChildProcess.LlmpipeAsync(["simulate", "--json", "--latency", Words.Of(latency)], new Dictionary<string, string>(), "\"url\"");
        using var json = JsonDocument.Parse(line);
        return new Endpoint(process, new Uri(json.RootElement.GetProperty("url").GetString()!));
    }

    /// <summary>Calls that it is answering now.</summary>
    public async Task<long> InFlightAsync() => (await _http.GetFromJsonAsync<JsonElement>(new Uri(Url, "stats"))).GetProperty("inFlight").GetInt64();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }
}
