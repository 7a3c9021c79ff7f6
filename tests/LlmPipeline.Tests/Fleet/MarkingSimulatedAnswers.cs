using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Answers of <c>llmpipe simulate</c> are marked wherever they go, and give way to real ones.</summary>
[Trait("Category", "Slow")]
public sealed class MarkingSimulatedAnswers : IAsyncLifetime
{
    private const int Count = 6;
    private readonly Llmpipe _llmpipe = new();
    private RedisServer _server = null!;

    public async Task InitializeAsync() => _server = await RedisServer.StartAsync();

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _llmpipe.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_run_against_a_real_endpoint_replaces_them(bool onRedis)
    {
        string[] redis = onRedis ? ["--redis", _server.Address] : [];
        _llmpipe.Write("in.jsonl", Rows.BatchLines(Count));
        int port;
        await using (var simulator = await LlmSimulator.StartAsync(new SimulatorOptions { Mark = true }))
        {
            port = simulator.Address.Port;
            _llmpipe.Environment["OPENAI_BASE_URL"] = simulator.BaseUrl.ToString();
            var simulated = JsonNode.Parse((await _llmpipe.RunAsync(["run", "in.jsonl", "--json", .. redis])).Out)!;
            Assert.Equal(Count, (int)simulated["simulated_answers"]!);
            Assert.All(_llmpipe.Lines("in.results.jsonl"), line => Assert.True((bool?)JsonNode.Parse(line)!["simulated"]));
            if (onRedis)
            {
                var batch = (string)simulated["batch"]!;
                Assert.True((bool?)JsonNode.Parse((await _llmpipe.RunAsync(["status", batch, "--json", .. redis])).Out)!["simulated"]);
                Assert.Contains("simulator", (await _llmpipe.RunAsync(["status", batch, .. redis])).Out);
                Assert.Equal("Simulated", (string?)JsonNode.Parse((await _llmpipe.RunAsync(["result", batch + ".1", "--json", .. redis])).Out)!["meta"]!["flags"]![0], ignoreCase: true);
            }

            // While the simulator still answers there, nothing is called again.
            var again = await _llmpipe.RunAsync(["run", "in.jsonl", .. redis]);
            Assert.True(again.ExitCode == 0, again.Error);
            Assert.Equal(Count, simulator.Stats.Calls);
        }

        await using var real = await LlmSimulator.StartAsync(new SimulatorOptions { Port = port });
        var (exitCode, text, error) = await _llmpipe.RunAsync(["run", "in.jsonl", "--json", .. redis]);

        Assert.True(exitCode == 0, error);
        Assert.Contains($"{Count} rows have the answers of a simulator; they run again", error);
        Assert.Equal(Count, real.Stats.Calls);
        Assert.Null(JsonNode.Parse(text)!["simulated_answers"]);
        Assert.All(_llmpipe.Lines("in.results.jsonl"), line => Assert.Null(JsonNode.Parse(line)!["simulated"]));
        if (onRedis)
            Assert.Null(JsonNode.Parse((await _llmpipe.RunAsync(["status", (string)JsonNode.Parse(text)!["batch"]!, "--json", .. redis])).Out)!["simulated"]);
    }

    [Fact]
    public async Task The_command_marks_every_answer()
    {
        using var process = _llmpipe.Start("simulate", "--port", "0");
        var line = await process.StandardError.ReadLineAsync() ?? "";
        try
        {
            using var http = new HttpClient();
            using var answer = await http.GetAsync(System.Text.RegularExpressions.Regex.Match(line, @"http://\S+?:\d+").Value + "/v1/models");
            Assert.True(answer.Headers.Contains("x-llmpipeline-simulated"), line);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }
}
