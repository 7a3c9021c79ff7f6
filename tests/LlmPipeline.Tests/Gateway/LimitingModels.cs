namespace LlmPipeline;

/// <summary>A service that takes so many models and no more (<c>MaxQueues</c>) refuses another in all its APIs, and says why.</summary>
public sealed class LimitingModels
{
    private const string Message = "There are as many models as this service takes";

    [Fact]
    public async Task One_model_too_many_is_refused_with_429_and_fails_a_batch_with_its_name()
    {
        await using var house = await GatewayHouse.OpenAsync("__MaxQueues=1");
        using var desk = new GatewayDesk(house.Gateway);
        using (var taken = await desk.Http.PostAsync("v1/jobs", GatewayDesk.Json("""{"model":"first","prompt":"x"}""")))
            Assert.True(taken.IsSuccessStatusCode);

        foreach (var (path, body) in ((string, string)[])
            [
                ("v1/jobs", """{"model":"second","prompt":"x"}"""),
                ("v1/chat/completions", """{"model":"second","messages":[{"role":"user","content":"x"}]}"""),
                ("v1/embeddings", """{"model":"second","input":"x"}"""),
            ])
        {
            using var answer = await desk.Http.PostAsync(path, GatewayDesk.Json(body));
            Assert.True(answer.Headers.RetryAfter?.Delta > TimeSpan.Zero, path);
            var error = await GatewayDesk.ErrorAsync(answer);
            Assert.Equal((429, true), (error.Status, error.Message.StartsWith(Message, StringComparison.Ordinal)));
        }

        var batch = (await desk.CreateAsync(await desk.UploadAsync(desk.Lines(2)))).BatchId;
        var fault = Assert.Single((await desk.BecomesAsync(batch, "failed"))["errors"]!["data"]!.AsArray())!;
        Assert.Equal(("model_limit", "model"), ((string?)fault["code"], (string?)fault["param"]));
        Assert.Contains($"'{desk.Model}'", (string?)fault["message"]);
        Assert.Equal(["first"], await house.Fleet.Queue.QueuesAsync());
    }
}
