using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Rows for <c>/v1/responses</c>.</summary>
[Trait("Category", "Slow")]
public sealed class AskingForResponses : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rows_come_back_as_responses_with_their_tokens_counted_and_priced(bool azure)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        var address = azure ? endpoint.Address : endpoint.BaseUrl;
        _llmpipe.Write("llmpipe.json", Rows.Json(new
        {
            Deployments = new[] { new { Name = "one", Kind = azure ? "AzureOpenAI" : "OpenAI", Endpoint = address.ToString(), ApiKey = "k" } },
            Prices = new Dictionary<string, object> { ["m"] = new { Input = 1, Output = 2 } },
        }));
        _llmpipe.Write("in.jsonl", Enumerable.Range(1, 40).Select(n => Rows.Json(new
        {
            custom_id = $"row-{n}",
            method = "POST",
            url = "/v1/responses",
            body = new { model = "m", input = $"What is {n} + {n}?", max_output_tokens = 8 },
        })));

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--json");

        Assert.True(exitCode == 0, error);
        var lines = _llmpipe.Lines("in.results.jsonl");
        Assert.Equal(Enumerable.Range(1, 40).Select(n => $"row-{n}"), Rows.CustomIds(lines));
        var bodies = lines.Select(line => JsonNode.Parse(line)!["response"]!["body"]!).ToList();
        Assert.All(bodies, body => Assert.Equal(("response", "incomplete"), ((string?)body["object"], (string?)body["status"])));
        Assert.All(bodies, body => Assert.NotEmpty((string)body["output"]![0]!["content"]![0]!["text"]!));
        var (input, made) = (bodies.Sum(body => (long)body["usage"]!["input_tokens"]!), bodies.Sum(body => (long)body["usage"]!["output_tokens"]!));
        var report = JsonNode.Parse(output)!;
        Assert.Equal((input, made), ((long)report["input_tokens"]!, (long)report["output_tokens"]!));
        Assert.Equal((input + (2m * made)) / 1_000_000, (decimal)report["cost"]!);
        Assert.Equal((40, 40, 0), (endpoint.Stats.Calls, endpoint.Stats.Completed, endpoint.Stats.PaidTwice));
    }
}
