using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>What workers report of their deployments, and how an operator opens them.</summary>
[Trait("Category", "Slow")]
public sealed class OpeningDeployments : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task What_is_closed_is_listed_with_its_reason_and_opened_by_a_command()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var endpoint = await LlmSimulator.StartAsync(
            new SimulatorOptions { ApiKey = "right-key-of-the-account", CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Environment["OPENAI_API_KEY"] = "wrong-key-of-the-account";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(30));
        using var worker = new RunningProcess(_llmpipe, "work", "--redis", redis.Address);
        Assert.Equal(0, (await _llmpipe.RunAsync("submit", "in.jsonl", "--redis", redis.Address)).ExitCode);

        JsonArray closed = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                closed = JsonNode.Parse(
                    (await _llmpipe.RunAsync("deployments", "list", "--redis", redis.Address, "--json")).Out)!.AsArray();
                return closed.Any(one => (string?)one!["state"] == "unavailable");
            },
            "the deployment is unavailable",
            TimeSpan.FromSeconds(60));
        Assert.Contains("API key", (string?)closed[0]!["reason"], StringComparison.Ordinal);
        Assert.DoesNotContain("wrong-key", closed.ToJsonString(), StringComparison.Ordinal);
        var status = await _llmpipe.RunAsync("status", "--redis", redis.Address);
        Assert.Contains("deployment openai, model *: unavailable until", status.Out, StringComparison.Ordinal);
        var doctor = await _llmpipe.RunAsync("doctor", "--redis", redis.Address);
        Assert.Contains("deployment openai, model *: unavailable until", doctor.Error, StringComparison.Ordinal);

        var unknown = await _llmpipe.RunAsync("deployments", "open", "another", "--redis", redis.Address);
        Assert.Equal(1, unknown.ExitCode);
        Assert.Contains("there are openai", unknown.Error, StringComparison.Ordinal);
        var calls = endpoint.Stats.Calls;
        Assert.Equal(0, (await _llmpipe.RunAsync("deployments", "open", "openai", "--redis", redis.Address)).ExitCode);
        // Opened, its rows are sent again, and refused again.
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.Calls > calls), "it is called again", TimeSpan.FromSeconds(60));
    }
}
