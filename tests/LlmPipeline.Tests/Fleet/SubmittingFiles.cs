using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class SubmittingFiles(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_file_goes_in_and_its_answers_come_out_in_the_order_of_the_rows()
    {
        const int Count = 250;
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", Count);
        var batch = await _desk.SubmitAsync("in.jsonl", "--partitions", "16");
        Assert.Matches("^b-[0-9a-f]{32}$", batch);

        var lines = (await _desk.OutAsync(0, "results", batch, "--wait")).TrimEnd().Split('\n');
        var report = await _desk.JsonAsync(0, "results", batch, "-o", "out.jsonl");

        var names = Enumerable.Range(1, Count).Select(n => $"row-{n}");
        Assert.Equal(names, Rows.CustomIds(lines));
        Assert.Equal(lines, _desk.Llmpipe.Lines("out.jsonl"));
        Assert.Equal((Count, Count, 0, 0), ((int)report["rows"]!, (int)report["completed"]!, (int)report["failed"]!, (int)report["open"]!));
        Assert.Equal(("ended", Count, 0, 0, 0), await _desk.StatusAsync(batch));
        // The last row's answer alone, as text.
        var answer = (string)JsonNode.Parse(lines[^1])!["response"]!["body"]!["choices"]![0]!["message"]!["content"]!;
        Assert.Equal(answer + "\n", await _desk.OutAsync(0, "result", $"{batch}.{Count}"));
        Assert.Equal($"row-{Count}", (string)(await _desk.JsonAsync(0, "result", $"{batch}.{Count}"))["custom_id"]!);
    }

    [Fact]
    public async Task The_same_file_again_is_the_same_batch_enqueues_nothing_and_pays_nothing()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 20);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(0, "results", batch, "--wait", "-o", "out.jsonl");
        File.Copy(_desk.Llmpipe.PathOf("in.jsonl"), _desk.Llmpipe.PathOf("copy.jsonl"));

        var again = await _desk.JsonAsync(0, "submit", "copy.jsonl", "--retry-failed");

        Assert.Equal(batch, (string)again["batch"]!);
        Assert.Equal((0, 20), ((int)again["enqueued"]!, (int)again["ended"]!));
        Assert.Equal(("ended", 20, 0, 0, 0), await _desk.StatusAsync(batch));
        // That every answer stands means that none can be called for: nothing waits.
        Assert.Equal(0, (await house.Queue.StatsAsync(_desk.Model)).Waiting);
    }

    [Fact]
    public async Task Failed_rows_run_again_only_when_asked_for()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 6, fails: n => n % 2 == 0);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(3, "results", batch, "--wait", "-o", "out.jsonl");
        Assert.Equal(3, _desk.Llmpipe.Lines("out.errors.jsonl").Length);

        var untouched = await _desk.JsonAsync(0, "submit", "in.jsonl");
        var again = await _desk.JsonAsync(0, "submit", "in.jsonl", "--retry-failed");

        Assert.Equal((0, 6), ((int)untouched["enqueued"]!, (int)untouched["ended"]!));
        Assert.Equal((3, 3), ((int)again["enqueued"]!, (int)again["ended"]!));
        await _desk.OutAsync(3, "results", batch, "--wait");
        Assert.Equal(("ended", 3, 3, 0, 0), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task A_prompt_function_travels_with_its_rows()
    {
        await house.WorkAsync();
        Directory.CreateDirectory(_desk.Llmpipe.PathOf("prompts/shout"));
        _desk.Llmpipe.Write("prompts/shout/skprompt.txt", "Shout: {{$word}}");
        _desk.Llmpipe.Write("prompts/shout/config.json", Rows.Json(new
        {
            schema = 1,
            description = "Shouts",
            input_variables = new[] { new { name = "word", is_required = true } },
            execution_settings = new { @default = new { model_id = _desk.Model } },
        }));
        _desk.Llmpipe.Write("rows.jsonl", ["""{"word":"hey"}""", """{"word":"ho"}"""]);
        _desk.Llmpipe.Write("wrong.jsonl", ["""{"word":"hey"}""", """{"wort":"ho"}"""]);

        var wrong = await _desk.ErrorAsync(2, "submit", "wrong.jsonl", "--prompt", "shout");
        Assert.DoesNotContain(_desk.Model, await house.Queue.QueuesAsync());
        var batch = await _desk.SubmitAsync("rows.jsonl", "--prompt", "shout");
        Directory.Delete(_desk.Llmpipe.PathOf("prompts"), recursive: true);
        var lines = (await _desk.OutAsync(0, "results", batch, "--wait")).TrimEnd().Split('\n');

        Assert.Contains("wrong.jsonl:2: word", wrong);
        Assert.Equal(Rows.LineNames(2), Rows.CustomIds(lines));
    }

    [Fact]
    public async Task Schema_and_examples_travel_too_and_a_worker_process_checks_answers()
    {
        await house.WorkAsync();
        Directory.CreateDirectory(_desk.Llmpipe.PathOf("prompts/sort"));
        _desk.Llmpipe.Write("prompts/sort/skprompt.txt", """<message role="user">x</message><message role="assistant">{"label":"a"}</message><message role="user">{{$word}}</message>""");
        // The endpoint fits what it can; that a pattern should say more it does not know.
        _desk.Llmpipe.Write("prompts/sort/config.json", """
            {"execution_settings":{"default":{"model_id":"MODEL","response_format":{"type":"json_schema","json_schema":{"name":"s","schema":
            {"type":"object","required":["label"],"properties":{"label":{"type":"string","enum":["a","b"],"pattern":"^a$"}}}}}}}}
            """.Replace("MODEL", _desk.Model, StringComparison.Ordinal));
        _desk.Llmpipe.Write("rows.jsonl", Enumerable.Range(1, 100).Select(n => $$"""{"word":"w{{n}}"}"""));
        var batch = await _desk.SubmitAsync("rows.jsonl", "--prompt", "sort");
        Directory.Delete(_desk.Llmpipe.PathOf("prompts"), recursive: true);
        var (_, output, _) = await _desk.RunAsync("results", batch, "--wait");
        var lines = output.TrimEnd().Split('\n').Select(line => JsonNode.Parse(line)!).ToList();

        Assert.Equal(100, lines.Count);
        Assert.All(lines, line => Assert.Equal(
            line["error"] is null ? "{\"label\":\"a\"}" : "{\"label\":\"b\"}", (string)line["response"]!["body"]!["choices"]![0]!["message"]!["content"]!));
        // One in eight misses three times.
        Assert.InRange(lines.Count(line => (string?)line["error"]?["code"] == "schema_mismatch"), 1, 40);
    }

    [Fact]
    public async Task Past_the_deadline_a_waiting_row_ends_as_expired()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 2);
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await _desk.OutAsync(0, "queues", "pause", _desk.Model);
        var batch = await _desk.SubmitAsync("in.jsonl", "--deadline", "0.001");
        await _desk.OutAsync(0, "queues", "resume", _desk.Model);

        var lines = (await _desk.OutAsync(3, "results", batch, "--wait")).TrimEnd().Split('\n');
        var (code, text, error) = await _desk.RunAsync("result", batch + ".1");

        Assert.All(lines, line => Assert.Equal("batch_expired", (string)JsonNode.Parse(line)!["error"]!["code"]!));
        Assert.Equal(("ended", 0, 2, 0, 0), await _desk.StatusAsync(batch));
        Assert.Equal((3, ""), (code, text));
        Assert.Contains("expired", error);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task A_paused_queue_does_not_keep_a_row_past_its_deadline()
    {
        await house.WorkAsync();
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await _desk.OutAsync(0, "queues", "pause", _desk.Model);
        _desk.WriteRows("in.jsonl", 2);

        var batch = await _desk.SubmitAsync("in.jsonl", "--deadline", "1");

        var lines = (await _desk.OutAsync(3, "results", batch, "--wait")).TrimEnd().Split('\n');
        Assert.All(lines, line => Assert.Equal("batch_expired", (string)JsonNode.Parse(line)!["error"]!["code"]!));
        await _desk.OutAsync(0, "queues", "resume", _desk.Model);
    }
}
