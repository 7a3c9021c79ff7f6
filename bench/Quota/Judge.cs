using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace LlmPipeline.Bench;

/// <summary>What the judge has counted, at one moment.</summary>
internal sealed record Verdict(double At, double Limit, long Calls, long Refused, long CountedRequests, long CountedTokens, long RequestsInMinute, long TokensInMinute);

/// <summary>The simulator as a process of its own, and what it says.</summary>
internal sealed class Judge : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _http;
    private readonly QuotaScenario _scenario;
    private double _limit;

    private Judge(ChildProcess process, Uri url, QuotaScenario scenario)
    {
        _process = process;
        _http = new HttpClient { BaseAddress = url };
        _scenario = scenario;
        _limit = scenario.Limit;
        Url = url;
    }

    public Uri Url { get; }

    public static async Task<Judge> StartAsync(QuotaScenario scenario, int latency)
    {
        string[] azure = scenario.Corrects ? [] : ["--azure-like"];
        var (process, line) = await ChildProcess.LlmpipeAsync(
            ["simulate", "--json", "--port", "0", "--rpm", Text(scenario.RequestsPerMinute), "--tpm", Text(scenario.TokensPerMinute), "--latency", Text(latency),
                "--latency-per-token", "2", "--jitter", "lognormal", "--answer-words", "60", .. azure],
            new Dictionary<string, string>(), "\"url\"");
        using var json = JsonDocument.Parse(line);
        return new Judge(process, new Uri(json.RootElement.GetProperty("url").GetString()!), scenario);
    }

    /// <summary>Halves both limits, from now on.</summary>
    public async Task HalveAsync()
    {
        using var answer = await _http.PostAsJsonAsync("limits", new { rpm = _scenario.RequestsPerMinute / 2, tpm = _scenario.TokensPerMinute / 2 });
        answer.EnsureSuccessStatusCode();
        _limit /= 2;
    }

    public async Task<Verdict> LookAsync(double at)
    {
        var stats = await _http.GetFromJsonAsync<JsonElement>("stats");
        return new Verdict(
            at, _limit, Of("calls"), Of("refused"), Of("countedRequests"), Of("countedTokens"), Of("requestsInMinute"), Of("tokensInMinute"));

        long Of(string name) => stats.GetProperty(name).GetInt64();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
