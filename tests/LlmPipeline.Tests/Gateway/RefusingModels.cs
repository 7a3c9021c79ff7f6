using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Covers <see cref="ModelAccess"/>.</summary>
public sealed class RefusingModels
{
    private static readonly (int, string?, string?, string?) Unknown = (404, "invalid_request_error", "model_not_found", "model");

    [Fact]
    public async Task A_model_that_no_live_worker_serves_is_refused_wherever_it_is_named_and_gets_no_queue()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        // Nobody works: whoever will may serve it.
        using (var taken = await JobAsync(desk, "before"))
            Assert.True(taken.IsSuccessStatusCode);
        await using var listening = await WakeUps.ListenForQueuesAsync(house.Fleet.Redis, house.Fleet.Queue.Options);
        await house.Fleet.Queue.Models.AnnounceAsync("worker", ["known"]);
        // The gateway asks who works every two seconds.
        await Eventually.HoldsAsync(
            async () =>
            {
                using var answer = await JobAsync(desk, "polled");
                return (int)answer.StatusCode == 404;
            },
            "the other model is refused");

        Assert.Equal(Unknown, await RefusalAsync(await JobAsync(desk, "other")));
        foreach (var path in (string[])["v1/chat/completions", "openai/deployments/other/chat/completions?api-version=2024-10-21"])
        {
            using var body = GatewayDesk.Json("""{"model":"other","messages":[{"role":"user","content":"hello"}]}""");
            Assert.Equal(Unknown, await RefusalAsync(await desk.Http.PostAsync(path, body)));
        }

        using (var taken = await JobAsync(desk, "known"))
            Assert.True(taken.IsSuccessStatusCode);
        var batch = (await desk.CreateAsync(await desk.UploadAsync(desk.Lines(2)))).BatchId;
        var fault = Assert.Single((await desk.BecomesAsync(batch, "failed"))["errors"]!["data"]!.AsArray())!;
        Assert.Equal(("model_not_found", $"The model '{desk.Model}' does not exist"), ((string?)fault["code"], (string?)fault["message"]));
        Assert.Empty((await house.Fleet.Queue.QueuesAsync()).Intersect(["other", desk.Model]));
        Assert.Equal(["known"], (await desk.GetAsync("v1/models"))["data"]!.AsArray().Select(model => (string?)model!["id"]));
        Assert.Equal(404, (await desk.RefusedAsync(HttpMethod.Get, "v1/models/before")).Status);
    }

    [Fact]
    public async Task A_list_of_models_decides_alone()
    {
        await using var house = await GatewayHouse.OpenAsync("Models__0=second", "Models__1=first");
        using var desk = new GatewayDesk(house.Gateway);
        Assert.Equal(Unknown, await RefusalAsync(await JobAsync(desk, "other")));
        using var taken = await JobAsync(desk, "first");
        Assert.True(taken.IsSuccessStatusCode);
        Assert.Equal(["first", "second"], (await desk.GetAsync("v1/models"))["data"]!.AsArray().Select(model => (string?)model!["id"]));
        Assert.Equal(["first"], await house.Fleet.Queue.QueuesAsync());
    }

    private static Task<HttpResponseMessage> JobAsync(GatewayDesk desk, string model) =>
        desk.Http.PostAsync("v1/jobs", GatewayDesk.Json($$"""{"model":"{{model}}","prompt":"x"}"""));

    private static async Task<(int, string?, string?, string?)> RefusalAsync(HttpResponseMessage answer)
    {
        using (answer)
        {
            var error = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!;
            return ((int)answer.StatusCode, (string?)error["type"], (string?)error["code"], (string?)error["param"]);
        }
    }
}
