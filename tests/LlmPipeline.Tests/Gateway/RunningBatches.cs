using System.ClientModel;
using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class RunningBatches(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Fact]
    public async Task The_official_client_uploads_creates_polls_and_downloads()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var file = await desk.UploadAsync(desk.Lines(50, fails: n => n % 10 == 0));

        var made = await desk.CreateAsync(file);
        var created = JsonNode.Parse(made.GetRawResponse().Content)!;
        await made.WaitForCompletionAsync();

        Assert.Equal("validating", (string?)created["status"]);
        var batch = await desk.BatchAsync(made.BatchId);
        Assert.Equal("completed", (string?)batch["status"]);
        Assert.Equal("""{"total":50,"completed":45,"failed":5}""", batch["request_counts"]!.ToJsonString());
        Assert.Equal(("batch", "/v1/chat/completions", desk.Model, file, "24h", "tests"), (
            (string?)batch["object"], (string?)batch["endpoint"], (string?)batch["model"], (string?)batch["input_file_id"], (string?)batch["completion_window"], (string?)batch["metadata"]!["of"]));
        Assert.Equal((long)batch["created_at"]! + 86400, (long)batch["expires_at"]!);
        foreach (var time in (string[])["in_progress_at", "finalizing_at", "completed_at"])
            Assert.InRange((long)batch[time]!, (long)batch["created_at"]!, (long)batch["created_at"]! + 600);
        foreach (var field in (string[])["errors", "failed_at", "expired_at", "cancelling_at", "cancelled_at"])
            Assert.True(batch.AsObject().TryGetPropertyValue(field, out var value) && value is null, field);

        var completed = await desk.LinesOfAsync((string?)batch["output_file_id"]);
        Assert.Equal(Enumerable.Range(1, 50).Where(n => n % 10 != 0).Select(n => $"row-{n}"), completed.Select(line => (string?)line["custom_id"]));
        Assert.All(completed, line =>
        {
            Assert.Equal(200, (int)line["response"]!["status_code"]!);
            Assert.Equal("chat.completion", (string?)line["response"]!["body"]!["object"]);
            Assert.Null(line["error"]);
        });
        var failed = await desk.LinesOfAsync((string?)batch["error_file_id"]);
        Assert.Equal(["row-10", "row-20", "row-30", "row-40", "row-50"], failed.Select(line => (string?)line["custom_id"]));
        Assert.All(failed, line => Assert.Equal("invalid_request_error", (string?)line["response"]!["body"]!["error"]!["type"]));

        var usage = completed.Select(line => line["response"]!["body"]!["usage"]!).ToList();
        Assert.Equal(
            (usage.Sum(u => (long)u["prompt_tokens"]!), usage.Sum(u => (long)u["completion_tokens"]!), usage.Sum(u => (long)u["total_tokens"]!)),
            ((long)batch["usage"]!["input_tokens"]!, (long)batch["usage"]!["output_tokens"]!, (long)batch["usage"]!["total_tokens"]!));
        Assert.Equal(0, (long)batch["usage"]!["output_tokens_details"]!["reasoning_tokens"]!);
    }

    [Fact]
    public async Task Several_models_may_stand_in_a_file_and_one_that_only_fails_is_completed()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        using var other = new GatewayDesk(house.Gateway);

        var made = await desk.CreateAsync(await desk.UploadAsync(desk.Lines(3, fails: _ => true) + other.Lines(2, fails: _ => true).Replace("row-", "other-")));
        await made.WaitForCompletionAsync();

        var batch = await desk.BatchAsync(made.BatchId);
        Assert.Equal("completed", (string?)batch["status"]);
        Assert.Null(batch["model"]);
        Assert.Null(batch["output_file_id"]);
        Assert.Equal("""{"total":5,"completed":0,"failed":5}""", batch["request_counts"]!.ToJsonString());
        Assert.Equal(["row-1", "row-2", "row-3", "other-1", "other-2"], await desk.IdsOfAsync((string?)batch["error_file_id"]));
    }

    [Fact]
    public async Task What_there_is_can_be_read_while_it_runs_and_is_in_input_order_at_the_end()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var held = new GatewayDesk(house.Gateway);
        await house.HoldAsync(held.Model);
        var made = await desk.CreateAsync(await desk.UploadAsync(held.Lines(3).Replace("row-", "held-") + desk.Lines(4)));

        var running = await desk.CompletesAsync(made.BatchId, 4);
        var (output, error) = ((string)running["output_file_id"]!, (string?)running["error_file_id"]);
        using var live = await desk.Http.GetAsync($"v1/files/{output}/content");
        var there = (await live.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => (string)JsonNode.Parse(line)!["custom_id"]!);

        Assert.Equal("true", live.Headers.GetValues("X-Incomplete").Single());
        Assert.Equal(["row-1", "row-2", "row-3", "row-4"], there.Order());
        Assert.Null(error);
        Assert.Equal("uploaded", (string?)(await desk.GetAsync($"v1/files/{output}"))["status"]);
        Assert.Equal(409, (await desk.RefusedAsync(HttpMethod.Delete, $"v1/files/{output}")).Status);
        Assert.Equal(409, (await desk.RefusedAsync(HttpMethod.Delete, $"v1/files/{running["input_file_id"]}")).Status);

        await house.Fleet.Queue.ResumeAsync(held.Model);
        var done = await desk.BecomesAsync(made.BatchId, "completed");
        using var whole = await desk.Http.GetAsync($"v1/files/{output}/content");
        Assert.Equal(output, (string?)done["output_file_id"]);
        Assert.False(whole.Headers.Contains("X-Incomplete"));
        Assert.Equal(["held-1", "held-2", "held-3", "row-1", "row-2", "row-3", "row-4"], await desk.IdsOfAsync(output));
        Assert.Equal(whole.Content.Headers.ContentLength, (long)(await desk.GetAsync($"v1/files/{output}"))["bytes"]!);
        await desk.Files.DeleteFileAsync((string)running["input_file_id"]!);
    }

    [Fact]
    public async Task A_cancelled_batch_keeps_what_there_is()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var held = new GatewayDesk(house.Gateway);
        await house.HoldAsync(held.Model);
        var made = await desk.CreateAsync(await desk.UploadAsync(held.Lines(3).Replace("row-", "held-") + desk.Lines(4)));
        await desk.CompletesAsync(made.BatchId, 4);

        var asked = JsonNode.Parse((await made.CancelAsync(null)).GetRawResponse().Content)!;
        var batch = await desk.BecomesAsync(made.BatchId, "cancelled");
        var again = JsonNode.Parse((await made.CancelAsync(null)).GetRawResponse().Content)!;

        Assert.Equal(("cancelling", "cancelled"), ((string?)asked["status"], (string?)again["status"]));
        Assert.NotNull(batch["cancelling_at"]);
        Assert.NotNull(batch["cancelled_at"]);
        Assert.Equal("""{"total":7,"completed":4,"failed":0}""", batch["request_counts"]!.ToJsonString());
        Assert.Equal(["row-1", "row-2", "row-3", "row-4"], await desk.IdsOfAsync((string?)batch["output_file_id"]));
        var left = await desk.LinesOfAsync((string?)batch["error_file_id"]);
        Assert.Equal(["held-1", "held-2", "held-3"], left.Select(line => (string?)line["custom_id"]));
        Assert.All(left, line => Assert.Equal((true, "batch_cancelled"), (line["response"] is null, (string?)line["error"]!["code"])));
    }

    [Fact]
    public async Task A_batch_that_has_ended_cannot_be_cancelled()
    {
        using var desk = new GatewayDesk(house.Gateway);
        var made = await desk.CreateAsync(await desk.UploadAsync("{}"));
        await desk.BecomesAsync(made.BatchId, "failed");

        var refused = await desk.RefusedAsync(HttpMethod.Post, $"v1/batches/{made.BatchId}/cancel");

        Assert.Equal((409, "Cannot cancel a batch with status 'failed'."), (refused.Status, refused.Message));
    }

    [Fact]
    public async Task A_batch_whose_window_is_over_expires_with_what_there_is()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var held = new GatewayDesk(house.Gateway);
        await house.HoldAsync(held.Model);
        var made = await desk.CreateAsync(await desk.UploadAsync(held.Lines(2).Replace("row-", "held-") + desk.Lines(3)), window: "30m");
        var running = await desk.CompletesAsync(made.BatchId, 3);
        Assert.Equal((long)running["created_at"]! + 1800, (long)running["expires_at"]!);

        await house.ExpireAsync(made.BatchId);
        var batch = await desk.BecomesAsync(made.BatchId, "expired");

        Assert.NotNull(batch["expired_at"]);
        Assert.Equal("""{"total":5,"completed":3,"failed":2}""", batch["request_counts"]!.ToJsonString());
        Assert.Equal(["row-1", "row-2", "row-3"], await desk.IdsOfAsync((string?)batch["output_file_id"]));
        var left = await desk.LinesOfAsync((string?)batch["error_file_id"]);
        Assert.Equal(["held-1", "held-2"], left.Select(line => (string?)line["custom_id"]));
        Assert.All(left, line => Assert.Equal((true, "batch_expired"), (line["response"] is null, (string?)line["error"]!["code"])));
    }

    [Fact]
    public async Task A_list_has_the_newest_first_and_pages_by_the_last_id()
    {
        // Of an owner that no other test has batches of.
        using var desk = new GatewayDesk(house.Gateway, GatewayHouse.OtherKey);
        var file = await desk.UploadAsync("no line of a batch");
        var made = new List<string>();
        for (var n = 0; n < 5; n++)
            made.Add((await desk.CreateAsync(file)).BatchId);
        made.Reverse();

        var first = await desk.GetAsync("v1/batches?limit=2");
        var second = await desk.GetAsync($"v1/batches?limit=2&after={first["last_id"]}");
        var third = await desk.GetAsync($"v1/batches?limit=2&after={second["last_id"]}");

        Assert.Equal(made, new[] { first, second, third }.SelectMany(page => page["data"]!.AsArray()).Select(batch => (string)batch!["id"]!));
        Assert.Equal([true, true, false], new[] { first, second, third }.Select(page => (bool)page["has_more"]!));
        Assert.Equal((made[0], made[1], "list"), ((string?)first["first_id"], (string?)first["last_id"], (string?)first["object"]));
        var listed = new List<string>();
        await foreach (var page in desk.Batches.GetBatchesAsync(new OpenAI.Batch.BatchCollectionOptions { PageSizeLimit = 2 }).GetRawPagesAsync())
            listed.AddRange(JsonNode.Parse(page.GetRawResponse().Content)!["data"]!.AsArray().Select(batch => (string)batch!["id"]!));
        Assert.Equal(made, listed);
    }
}
