using System.Net;
using System.Text.Json;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class WatchingAWorker
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(30) };

    [Fact]
    public async Task Its_metrics_tell_calls_tokens_quota_waits_and_the_jobs_of_each_queue()
    {
        await using var at = new Own(await FleetHouse.StartAsync(new SimulatorOptions { RequestsPerMinute = 6000 }));
        var worker = await at.House.StartWorkerAsync(8, "--metrics", "127.0.0.1:0");
        var ids = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => at.House.Queue.EnqueueAsync("watched", $"prompt {n}")));
        foreach (var id in ids)
            await at.House.Results.WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(60));
        await at.House.Queue.EnqueueAsync("watched", "later", new JobOptions { Delay = TimeSpan.FromHours(1) });

        var url = Url(worker);
        var text = "";
        await Eventually.HoldsAsync(
            async () =>
            {
                text = await Http.GetStringAsync(url + "/metrics");
                return Value(text, "llmpipeline_queue_jobs", "\"delayed\"") == 1;
            },
            "the metrics tell the delayed job", TimeSpan.FromSeconds(60));

        Assert.Equal(20, Value(text, "llmpipeline_jobs_ended_total", "completed"));
        Assert.Equal(20, Value(text, "gen_ai_client_operation_duration_seconds_count", "watched"));
        Assert.Equal(20, Value(text, "llmpipeline_job_wait_duration_seconds_count", "watched"));
        Assert.Equal(20, Value(text, "llmpipeline_quota_wait_duration_seconds_count", "watched"));
        Assert.Equal(at.House.Llm.Stats.TokensIn, Value(text, "gen_ai_client_token_usage_sum", "\"input\""));
        Assert.InRange(Value(text, "llmpipeline_quota_utilization", "requests")!.Value, 20.0 / 6000, 1);
        Assert.Equal(0, Value(text, "llmpipeline_deployment_unavailable", "circuit_open"));
        Assert.DoesNotContain("prompt 1", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_lives_while_it_waits_for_Redis_but_is_not_ready()
    {
        await using var at = new Own(await FleetHouse.StartAsync(new SimulatorOptions()));
        var url = Url(await at.House.StartWorkerAsync(8, "--metrics", "127.0.0.1:0"));
        Assert.Equal((HttpStatusCode.OK, "ok"), await AnswerAsync(url + "/ready"));
        Assert.Equal(HttpStatusCode.NotFound, (await AnswerAsync(url + "/")).Status);

        await at.House.Server.KillAsync();
        Assert.Equal((HttpStatusCode.OK, "ok"), await AnswerAsync(url + "/health"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "Redis does not answer"), await AnswerAsync(url + "/ready"));

        await at.House.Server.RestartAsync();
        await Eventually.HoldsAsync(async () => (await AnswerAsync(url + "/ready")).Status == HttpStatusCode.OK, "it is ready again", TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Calls_in_flight_are_told_by_metrics_and_by_status()
    {
        await using var at = new Own(await FleetHouse.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMinutes(5) }));
        var worker = await at.House.StartWorkerAsync(3, "--metrics", "127.0.0.1:0");
        foreach (var n in Enumerable.Range(0, 3))
            await at.House.Queue.EnqueueAsync("watched", $"prompt {n}");
        await Eventually.HoldsAsync(() => Task.FromResult(at.House.Llm.Stats.InFlight == 3), "the calls are out", TimeSpan.FromSeconds(60));

        var text = await Http.GetStringAsync(Url(worker) + "/metrics");
        Assert.Equal(3, Value(text, "llmpipeline_worker_jobs", "in_flight"));
        Assert.Equal(0, Value(text, "llmpipeline_worker_jobs", "waiting_for_quota"));
        Assert.Equal(0, Value(text, "llmpipeline_worker_jobs", "retrying"));
        Assert.Equal(0, Value(text, "llmpipeline_worker_jobs", "waiting_for_slot"));
        using var desk = new FleetDesk(at.House.Server.Address);
        await Eventually.HoldsAsync(
            async () => (await desk.Llmpipe.RunAsync("status", "--redis", at.House.Server.Address, "--json")).Out
                .Contains("""
                    "calls":{"in_flight":3,"waiting_for_quota":0,"retrying":0,"waiting_for_slot":0}
                    """, StringComparison.Ordinal),
            "status tells them", TimeSpan.FromSeconds(90));
    }

    [Fact]
    public async Task Neither_a_scrape_nor_the_path_of_a_request_is_logged()
    {
        await using var at = new Own(await FleetHouse.StartAsync(new SimulatorOptions()));
        var worker = await at.House.StartWorkerAsync(3, "--metrics", "127.0.0.1:0");
        await AnswerAsync(Url(worker) + "/health");
        await Http.GetStringAsync(Url(worker) + "/metrics");
        Assert.Equal(HttpStatusCode.NotFound, (await AnswerAsync(Url(worker) + "/%1b[31mforged%0d%0a2026-01-01T00:00:00.000Z%20error:%20forged")).Status);
        worker.Terminate();
        Assert.Equal(0, await worker.ExitedAsync(TimeSpan.FromSeconds(60)));

        Assert.Contains("Stopped: 0 jobs finished", worker.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("forged", worker.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("/health", worker.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("GET", worker.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_log_has_time_and_level_and_names_the_settings_and_the_endpoints_first()
    {
        await using var at = new Own(await FleetHouse.StartAsync(new SimulatorOptions()));
        var worker = await at.House.StartWorkerAsync(3);
        worker.Terminate();
        Assert.Equal(0, await worker.ExitedAsync(TimeSpan.FromSeconds(60)));

        var lines = worker.Said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.All(lines, line => Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warn|error): .", line));
        Assert.Contains($"info: no settings file, endpoints openai {at.House.Llm.BaseUrl.ToString().TrimEnd('/')} (every model)", lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_log_is_JSON_where_that_is_asked_for()
    {
        await using var at = new Own(await FleetHouse.StartAsync(new SimulatorOptions()));
        var worker = await at.House.StartWorkerAsync(3, "--log-format", "json");
        worker.Terminate();
        Assert.Equal(0, await worker.ExitedAsync(TimeSpan.FromSeconds(60)));

        var lines = worker.Said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.All(lines, line => Assert.Equal("info", line.GetProperty("level").GetString()));
        Assert.All(lines, line => Assert.True(line.GetProperty("time").TryGetDateTimeOffset(out _)));
        Assert.StartsWith("no settings file, ", lines[0].GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("LlmPipeline.WorkerProcess", lines[^1].GetProperty("category").GetString());
    }

    [Theory]
    [InlineData("9464")]
    [InlineData("127.0.0.1:9464/metrics")]
    [InlineData("nowhere:port")]
    public async Task An_address_that_is_none_is_a_clear_error(string address)
    {
        using var desk = new FleetDesk((await RedisServer.SharedAsync()).Address);
        desk.Llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1";
        Assert.Contains($"--metrics {address}: HOST:PORT is needed", await desk.ErrorAsync(2, "work", "--metrics", address), StringComparison.Ordinal);
    }

    private static string Url(WorkProcess worker)
    {
        var line = worker.Said.Split('\n').First(l => l.Contains("metrics on", StringComparison.Ordinal));
        return line[line.IndexOf("http", StringComparison.Ordinal)..line.IndexOf("/metrics", StringComparison.Ordinal)];
    }

    private static async Task<(HttpStatusCode Status, string Text)> AnswerAsync(string url)
    {
        using var response = await Http.GetAsync(url);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private static double? Value(string text, string name, string tag) => text.Split('\n')
        .Where(line => line.StartsWith(name + "{", StringComparison.Ordinal) && line.Contains(tag, StringComparison.Ordinal))
        .Select(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture)).Cast<double?>().FirstOrDefault();

    private sealed record Own(FleetHouse House) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await House.DisposeAsync();
    }
}
