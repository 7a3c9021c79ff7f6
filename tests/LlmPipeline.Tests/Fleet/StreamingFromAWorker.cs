using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class StreamingFromAWorker(FleetHouse house) : IClassFixture<FleetHouse>
{
    private readonly string _model = Stores.NewName("model");

    [Fact]
    public async Task Who_follows_in_another_process_gets_every_delta_and_then_the_whole()
    {
        await house.WorkAsync();
        var id = await EnqueueAsync(TimeSpan.FromSeconds(1));

        var (text, restarts, result) = await FollowAsync(id);

        var body = JsonNode.Parse(result.Response.Span)!;
        Assert.Equal("chat.completion", (string?)body["object"]);
        Assert.Equal((string?)body["choices"]![0]!["message"]!["content"], text);
        Assert.NotEmpty(text);
        Assert.Equal(0, restarts);
        Assert.Equal((long)body["usage"]!["completion_tokens"]!, result.Meta.OutputTokens);
    }

    [Fact]
    public async Task Who_comes_late_gets_the_whole()
    {
        await house.WorkAsync();
        var id = await EnqueueAsync(TimeSpan.Zero);
        await house.Results.WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(60));

        var (text, _, result) = await FollowAsync(id);

        Assert.Equal(("", ResultStatus.Completed), (text, result.Status));
    }

    private Task<string> EnqueueAsync(TimeSpan delay) => house.Queue.EnqueueAsync(
        _model, new RequestWork { Path = "/v1/chat/completions", Body = System.Text.Encoding.UTF8.GetBytes($$"""{"model":"{{_model}}","stream":true,"messages":[{"role":"user","content":"tell me more"}]}""") },
        new JobOptions { Delay = delay });

    private async Task<(string Text, int Restarts, JobResult Result)> FollowAsync(string id)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (text, restarts) = ("", 0);
        await foreach (var part in house.Results.StreamAsync(id, patience.Token))
        {
            if (part.Result is { } whole)
                return (text, restarts, whole);
            restarts += part.Restarted ? 1 : 0;
            text += (string?)JsonNode.Parse(part.Delta!)!["choices"]!.AsArray().FirstOrDefault()?["delta"]?["content"];
        }

        throw new InvalidOperationException("the stream ended without a result");
    }
}
