namespace LlmPipeline;

/// <summary>Covers <see cref="BatchDeleter"/>, the deletion of jobs, and <c>llmpipe forget</c>.</summary>
public sealed class DeletingBatches
{
    [Fact]
    public async Task What_has_ended_is_deleted_with_its_results_and_what_has_not_is_refused()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var batch = (await desk.CreateAsync(await desk.UploadAsync(desk.Lines(3, row => row == 2)))).BatchId;
        Assert.Equal(409, (await desk.RefusedAsync(HttpMethod.Delete, "v1/batches/" + batch)).Status);
        await house.Fleet.WorkAsync();
        var ended = await desk.BecomesAsync(batch, "completed");
        var jobs = await house.Fleet.Queue.EnqueueAsync(desk.Model, "hello");
        await house.Fleet.Results.WaitAsync(jobs);
        Assert.Equal(3, (await house.Fleet.KeysAsync($"result:{batch}*")).Count);

        using (var answer = await desk.Http.DeleteAsync("v1/batches/" + batch))
            Assert.Equal($$"""{"id":"{{batch}}","object":"batch","deleted":true}""", await answer.Content.ReadAsStringAsync());

        Assert.Empty(await house.Fleet.KeysAsync($"*{batch}*"));
        Assert.Equal(0, (await house.Fleet.Queue.StatsAsync(desk.Model)).Dead);
        foreach (var path in (string[])["v1/batches/" + batch, $"v1/files/{ended["output_file_id"]}", $"v1/files/{ended["error_file_id"]}/content"])
            Assert.Equal(404, (await desk.RefusedAsync(HttpMethod.Get, path)).Status);
        Assert.Equal(404, (await desk.RefusedAsync(HttpMethod.Delete, "v1/batches/" + batch)).Status);
        Assert.Single(await house.Fleet.KeysAsync("result:*"));

        using var user = new FleetDesk(house.Fleet);
        var told = await user.ErrorAsync(0, "forget", jobs);
        Assert.Contains("append-only file", told, StringComparison.Ordinal);
        Assert.Empty(await house.Fleet.KeysAsync("result:*"));
        Assert.Contains("there is no batch or job", await user.ErrorAsync(1, "forget", jobs), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_has_ended_is_deleted_when_it_is_asked_for()
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        using var submitted = await desk.Http.PostAsync("v1/jobs", GatewayDesk.Json($$"""{"model":"{{desk.Model}}","prompt":"x"}"""));
        var id = (string)System.Text.Json.Nodes.JsonNode.Parse(await submitted.Content.ReadAsStringAsync())!["id"]!;
        Assert.Equal(409, (await desk.RefusedAsync(HttpMethod.Delete, $"v1/jobs/{id}?forget=true")).Status);
        Assert.Equal(400, (await desk.RefusedAsync(HttpMethod.Delete, $"v1/jobs/{id}?forget=perhaps")).Status);
        await house.Fleet.WorkAsync();
        await Eventually.HoldsAsync(async () => (string?)(await desk.GetAsync("v1/jobs/" + id))["status"] == "completed", "it has ended");
        using (var answer = await desk.Http.DeleteAsync($"v1/jobs/{id}?forget=true"))
            Assert.Equal($$"""{"id":"{{id}}","object":"job","deleted":true}""", await answer.Content.ReadAsStringAsync());
        Assert.Equal(404, (await desk.RefusedAsync(HttpMethod.Get, "v1/jobs/" + id)).Status);
        Assert.Empty(await house.Fleet.KeysAsync($"*{id}*"));
    }
}
