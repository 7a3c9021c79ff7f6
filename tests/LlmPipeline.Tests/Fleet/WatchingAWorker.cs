using System.Net;

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
