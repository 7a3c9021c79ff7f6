using System.Diagnostics;
using LlmPipeline.Tests;

namespace LlmPipeline;

/// <summary>Whatever keeps a run from calling is named by its progress, or ends it, within ten seconds: <see cref="LimitingFactor"/>.</summary>
[Trait("Category", "Slow")]
public sealed class ExplainingDelays : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task An_endpoint_that_does_not_answer()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, "") { IsSilent = true });

        await SaysAsync(endpoint.Url, "no answer for [0-9]+ s: [0-9]+ calls? waits? for the endpoint$");
    }

    [Fact]
    public async Task An_endpoint_that_nothing_listens_on() =>
        await SaysAsync("http://127.0.0.1:9", "(calls? retrying|last failure)?:? ?the endpoint cannot be reached: connection refused");

    [Fact]
    public async Task A_daily_limit()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(
            429,
            """{"error":{"message":"Rate limit reached for model `m` on tokens per day (TPD): Limit 100000, Used 99999, Requested 500. Please try again in 7m12s.","type":"tokens","code":"rate_limit_exceeded"}}""",
            "retry-after: 432"));

        await SaysAsync(endpoint.Url, "rate-limited until [0-9: -]+ by the provider: tokens per day$");
    }

    [Fact]
    public async Task An_endpoint_that_is_overloaded()
    {
        await using var endpoint = new RawEndpoint((_, n) => n % 2 == 0 ? RawReply.Ok : new RawReply(529, """{"error":{"type":"overloaded_error","message":"Overloaded"}}"""));
        _llmpipe.Write("in.jsonl", Rows.BatchLines(10_000));

        await SaysAsync(endpoint.Url, "[0-9]+ calls? retrying: HTTP 529, overloaded_error$", "--max-attempts", "1000");
    }

    [Fact]
    public async Task Quota_that_is_used_up()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);

        await SaysAsync(endpoint.Url, "waiting for requests/min of openai$", "--rpm", "60");
        await SaysAsync(endpoint.Url, "waiting for tokens/min of openai$", "--tpm", "6000", "-o", "other.jsonl");
    }

    [Fact]
    public async Task A_model_that_the_endpoint_does_not_have()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Models = ["other"], CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(50));
        var clock = Stopwatch.StartNew();

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 1, error);
        Assert.Matches("stopped, no deployment is left: .*gpt-4o-mini", error);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(60));
    }

    /// <summary>Reads the progress of a run until a line says it; the first lines come after five and after ten seconds.</summary>
    private async Task SaysAsync(string endpoint, string pattern, params string[] options)
    {
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint + "/v1";
        if (!_llmpipe.Exists("in.jsonl"))
            _llmpipe.Write("in.jsonl", Rows.BatchLines(200));
        using var process = _llmpipe.Start(["run", "in.jsonl", .. options]);
        try
        {
            var progress = new List<string>();
            while (progress.Count < 3 && await process.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2)) is { } line)
            {
                if (!line.Contains(" done (", StringComparison.Ordinal))
                    continue;
                progress.Add(line);
                if (System.Text.RegularExpressions.Regex.IsMatch(line, pattern))
                    return;
            }

            Assert.Fail(string.Join('\n', progress));
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }
}
