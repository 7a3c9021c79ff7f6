namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class WatchingTheGateway(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Fact]
    public async Task Its_metrics_need_no_key_and_tell_calls_and_the_jobs_of_each_queue()
    {
        await house.Fleet.Queue.EnqueueAsync("watched-queue", "secret prompt", new JobOptions { Delay = TimeSpan.FromHours(1) });
        using var http = new HttpClient { BaseAddress = house.Gateway.Address };
        using var refused = await http.GetAsync("v1/files");

        var text = "";
        await Eventually.HoldsAsync(
            async () =>
            {
                text = await http.GetStringAsync("metrics");
                return text.Contains("\"watched-queue\"", StringComparison.Ordinal);
            },
            "the metrics tell the queue", TimeSpan.FromSeconds(60));

        Assert.Contains(text.Split('\n'), line => line.StartsWith("http_server_request_duration_seconds_count", StringComparison.Ordinal) && line.Contains("\"401\"", StringComparison.Ordinal));
        Assert.DoesNotContain("secret prompt", text, StringComparison.Ordinal);
        Assert.DoesNotContain(GatewayHouse.Key, text, StringComparison.Ordinal);
    }
}
