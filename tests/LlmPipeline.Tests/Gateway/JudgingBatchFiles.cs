using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class JudgingBatchFiles(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    private const string Good = """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"hi"}]}}""";

    [Theory]
    [InlineData("", "empty_file", null, null)]
    [InlineData("\n \n", "empty_file", null, null)]
    [InlineData("What is 1 + 1?", "invalid_json_line", 1, null)]
    [InlineData(Good + "\n{\"custom_id\":", "invalid_json_line", 2, null)]
    [InlineData(Good + "\n\n" + Good, "duplicate_custom_id", 3, "custom_id")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}""", "url_mismatch", 1, "url")]
    [InlineData("""{"method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user"}]}}""", "invalid_request", 1, "custom_id")]
    [InlineData("""{"custom_id":"a","method":"GET","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user"}]}}""", "invalid_request", 1, "method")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user"}]}}""", "invalid_request", 1, "body.model")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}]}""", "invalid_request", 1, "custom_id")]
    [InlineData("custom_id,text\n1,hello", "invalid_json_line", 1, null)]
    public async Task A_batch_fails_by_its_file_with_the_line_and_the_field(string text, string code, int? line, string? param)
    {
        using var desk = new GatewayDesk(house.Gateway);

        var made = await desk.CreateAsync(await desk.UploadAsync(text));
        var batch = await desk.BecomesAsync(made.BatchId, "failed");

        var errors = batch["errors"]!;
        var first = errors["data"]![0]!;
        Assert.Equal("list", (string?)errors["object"]);
        Assert.Equal((code, line, param), ((string?)first["code"], (int?)first["line"], (string?)first["param"]));
        Assert.NotEmpty((string)first["message"]!);
        Assert.NotNull(batch["failed_at"]);
        Assert.Equal((null, null, """{"total":0,"completed":0,"failed":0}"""), ((string?)batch["output_file_id"], (string?)batch["error_file_id"], batch["request_counts"]!.ToJsonString()));
    }

    [Fact]
    public async Task Every_line_with_an_error_is_told_and_nothing_is_called()
    {
        using var desk = new GatewayDesk(house.Gateway);
        var made = await desk.CreateAsync(await desk.UploadAsync(desk.Lines(3) + "{\n" + desk.Lines(1)));

        var batch = await desk.BecomesAsync(made.BatchId, "failed");

        Assert.Equal([4, 5], batch["errors"]!["data"]!.AsArray().Select(error => (int)error!["line"]!));
        Assert.DoesNotContain(desk.Model, await house.Fleet.Queue.QueuesAsync());
        await desk.Files.DeleteFileAsync((string)batch["input_file_id"]!);
    }

    [Fact]
    public async Task A_file_of_more_requests_than_allowed_is_refused_by_the_first_too_many()
    {
        await using var house = await GatewayHouse.OpenAsync("MaxBatchRows=10");
        using var desk = new GatewayDesk(house.Gateway);
        var made = await desk.CreateAsync(await desk.UploadAsync(desk.Lines(12)));

        var error = (await desk.BecomesAsync(made.BatchId, "failed"))["errors"]!["data"]!.AsArray().Single()!;

        Assert.Equal(("too_many_tasks", 11), ((string?)error["code"], (int?)error["line"]));
    }

    [Theory]
    [InlineData("""{"endpoint":"/v1/chat/completions","completion_window":"24h"}""", "input_file_id")]
    [InlineData("""{"input_file_id":"FILE","completion_window":"24h"}""", "endpoint")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/images","completion_window":"24h"}""", "endpoint")]
    [InlineData("""{"input_file_id":"FILE","endpoint":7,"completion_window":"24h"}""", "endpoint")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions"}""", "completion_window")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"24"}""", "completion_window")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"15d"}""", "completion_window")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"a":1}}""", "metadata.a")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":[]}""", "metadata")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"24h","output_expires_after":{"anchor":"created_at","seconds":60}}""", "output_expires_after.seconds")]
    [InlineData("""{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"\ud800"}""", "completion_window")]
    [InlineData("[]", null)]
    [InlineData("{", null)]
    [InlineData("", null)]
    public async Task A_batch_that_is_wrong_in_itself_is_refused_at_once(string body, string? param)
    {
        using var desk = new GatewayDesk(house.Gateway);
        var file = await desk.UploadAsync(Good);

        var refused = await desk.RefusedAsync(HttpMethod.Post, "v1/batches", GatewayDesk.Json(body.Replace("FILE", file)));

        Assert.Equal((400, "invalid_request_error", param), (refused.Status, refused.Type, refused.Param));
        await desk.Files.DeleteFileAsync(file);
    }

    [Fact]
    public async Task Metadata_has_its_limits()
    {
        using var desk = new GatewayDesk(house.Gateway);
        var file = await desk.UploadAsync(Good);
        foreach (var pairs in new[] { Pairs(17, 1, 1), Pairs(1, 65, 1), Pairs(1, 1, 513) })
            Assert.Equal(400, (await desk.RefusedAsync(HttpMethod.Post, "v1/batches", Batch(pairs))).Status);

        using var answer = await desk.Http.PostAsync("v1/batches", Batch(Pairs(16, 64, 512)));

        Assert.Equal(16, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["metadata"]!.AsObject().Count);
        StringContent Batch(string metadata) => GatewayDesk.Json($$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{{metadata}}}""");
        static string Pairs(int count, int key, int value) =>
            $"{{{string.Join(',', Enumerable.Range(0, count).Select(n => $"\"{n.ToString().PadLeft(key, 'k')}\":\"{new string('v', value)}\""))}}}";
    }

    [Fact]
    public async Task JSON_that_is_nested_too_deeply_or_too_long_is_refused_and_the_gateway_lives()
    {
        using var desk = new GatewayDesk(house.Gateway);

        var deep = await desk.RefusedAsync(HttpMethod.Post, "v1/batches", GatewayDesk.Json(string.Concat(Enumerable.Repeat("""{"a":""", 100_000))));
        var large = await desk.RefusedAsync(HttpMethod.Post, "v1/batches", GatewayDesk.Json($$"""{"a":"{{new string('x', 2_000_000)}}"}"""));

        Assert.Equal(400, deep.Status);
        Assert.Equal((413, "request_too_large"), (large.Status, large.Code));
        Assert.Equal("ok", (string?)(await desk.GetAsync("health"))["status"]);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_not_found()
    {
        using var desk = new GatewayDesk(house.Gateway);
        foreach (var file in (string[])["file-00000000000000000000000000000000", "../../x", "file-*"])
        {
            var refused = await desk.RefusedAsync(
                HttpMethod.Post, "v1/batches", GatewayDesk.Json($$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}"""));
            Assert.Equal((404, "input_file_id"), (refused.Status, refused.Param));
        }
    }

    [Fact]
    public async Task One_batch_too_many_is_told_when_to_come_again()
    {
        await using var house = await GatewayHouse.OpenAsync("MaxOpenBatches=2");
        using var desk = new GatewayDesk(house.Gateway);
        var file = await desk.UploadAsync(desk.Lines(1));
        var first = await desk.CreateAsync(file);
        await desk.CreateAsync(file);
        var body = $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""";

        using var answer = await desk.Http.PostAsync("v1/batches", GatewayDesk.Json(body));
        var refused = await GatewayDesk.ErrorAsync(answer);
        await first.CancelAsync(null);
        await desk.BecomesAsync(first.BatchId, "cancelled");
        using var then = await desk.Http.PostAsync("v1/batches", GatewayDesk.Json(body));

        Assert.Equal((429, "rate_limit_error"), (refused.Status, refused.Type));
        Assert.True(answer.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        Assert.True(then.IsSuccessStatusCode);
    }
}
