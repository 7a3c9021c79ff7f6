using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Batches of version 0.1 are recognised and continued: what it has paid for is not called again, and every other row is called once.</summary>
[Trait("Category", "Slow")]
public sealed class ContinuingEarlierBatches : IAsyncLifetime
{
    private readonly Llmpipe _llmpipe = new();
    private LlmSimulator _llm = null!;
    private RedisServer _server = null!;
    private RedisConnections _redis = null!;

    public async Task InitializeAsync()
    {
        _llm = await LlmSimulator.StartAsync(new SimulatorOptions());
        _server = await RedisServer.StartAsync();
        _redis = await Stores.ConnectAsync(_server.Address);
        File.Copy(EarlierVersion.PathOf("in.jsonl"), _llmpipe.PathOf("in.jsonl"));
        // The endpoint is in the ids.
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://llm.fixture/v1";
        _llmpipe.Environment["HTTP_PROXY"] = _llm.Address.ToString();
    }

    public async Task DisposeAsync()
    {
        await _redis.DisposeAsync();
        await _server.DisposeAsync();
        await _llm.DisposeAsync();
        _llmpipe.Dispose();
    }

    [Theory]
    [InlineData("run.json", true)]
    [InlineData("run.json", false)]
    [InlineData("submit.json", false)]
    public async Task A_run_goes_on_from_its_checkpoint_its_results_and_its_queue(string data, bool hasCheckpoint)
    {
        await EarlierVersion.RestoreAsync(_redis.Database, data);
        if (hasCheckpoint)
            File.Copy(EarlierVersion.PathOf("out.jsonl.partial.txt"), _llmpipe.PathOf("out.jsonl.partial"));

        var (exitCode, text, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--redis", _server.Address, "-o", "out.jsonl", "--json");

        Assert.True(exitCode == 0, error);
        var report = JsonNode.Parse(text)!;
        Assert.Equal((EarlierVersion.Batch, EarlierVersion.Rows), ((string)report["batch"]!, (int)report["completed_rows"]!));
        Assert.Equal(EarlierVersion.Rows - EarlierVersion.Answered, _llm.Stats.Calls);
        var lines = _llmpipe.Lines("out.jsonl");
        Assert.Equal(EarlierVersion.Rows, lines.Length);
        if (data == "run.json")
            Assert.All(File.ReadAllLines(EarlierVersion.PathOf("out.jsonl.partial.txt")), line => Assert.Contains(line, lines.Select(WithoutRequest)));
        var queue = new PromptQueue(_redis, new PromptQueueOptions(), TimeProvider.System);
        Assert.Equal(new BatchProgress(EarlierVersion.Rows, EarlierVersion.Rows, 0, 0), await queue.Batches.ProgressAsync(EarlierVersion.Batch));
        Assert.Equal(0, await _redis.Database.HashLengthAsync(new QueueKeys("", EarlierVersion.Model, 0).Jobs));
    }

    [Fact]
    public async Task A_checkpoint_of_a_shipped_function_is_continued_although_the_function_has_changed_since()
    {
        File.Copy(EarlierVersion.PathOf("shipped.csv"), _llmpipe.PathOf("shipped.csv"));
        File.Copy(EarlierVersion.PathOf("shipped.jsonl.partial.txt"), _llmpipe.PathOf("out.jsonl.partial"));

        var (exitCode, text, error) = await _llmpipe.RunAsync("run", "shipped.csv", "--prompt", "solve-math", "--model", EarlierVersion.Model, "-o", "out.jsonl", "--json");

        Assert.True(exitCode == 0, error);
        Assert.Equal("b-814a05196fe855a86d786fc3ec9cf9f1", (string)JsonNode.Parse(text)!["batch"]!);
        Assert.Equal(2, _llm.Stats.Calls);
        Assert.Equal(4, _llmpipe.Lines("out.jsonl").Length);
    }

    [Theory]
    [InlineData("run.json")]
    [InlineData("submit.json")]
    public async Task Submitting_again_is_the_same_batch_and_workers_finish_it(string data)
    {
        await EarlierVersion.RestoreAsync(_redis.Database, data);

        var (exitCode, text, error) = await _llmpipe.RunAsync("submit", "in.jsonl", "--redis", _server.Address, "--json");

        Assert.True(exitCode == 0, error);
        var report = JsonNode.Parse(text)!;
        Assert.Equal((EarlierVersion.Batch, EarlierVersion.Answered), ((string)report["batch"]!, (int)report["ended"]!));
        await using var worker = new WorkProcess(_llmpipe.Start("work", "--redis", _server.Address));
        var results = await _llmpipe.RunAsync("results", EarlierVersion.Batch, "--redis", _server.Address, "--wait");
        Assert.True(results.ExitCode == 0, results.Error);
        Assert.Equal(EarlierVersion.Rows - EarlierVersion.Answered, _llm.Stats.Calls);
    }

    // Lines of earlier versions do not tell what their row asked for.
    private static string WithoutRequest(string line) =>
        line.LastIndexOf(",\"request\":", StringComparison.Ordinal) is >= 0 and var at ? line[..at] + "}" : line;
}
