using System.Text.Json.Nodes;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class RedrivingDeadLetters(
    RedrivingDeadLetters.FilteringHouse house) : IClassFixture<RedrivingDeadLetters.FilteringHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task They_are_listed_page_by_page_with_their_errors_and_without_prompts()
    {
        await DieAsync(250);

        var (_, table, more) = await _desk.RunAsync("dead", "list", "--queue", _desk.Model);
        var letters = (await _desk.OutAsync(0, "dead", "list", "--queue", _desk.Model, "--json", "--limit", "1000")).TrimEnd().Split('\n');

        Assert.Equal(1 + 100, table.TrimEnd().Split('\n').Length);
        Assert.Contains("and more; --limit N shows more than 100", more);
        Assert.Contains("content_filter: HTTP 400", table);
        Assert.DoesNotContain("Whisper", table + string.Concat(letters));
        Assert.Equal(Enumerable.Range(1, 250).Select(n => $"row-{n}").Order(), letters.Select(line => (string)JsonNode.Parse(line)!["custom_id"]!).Order());
        Assert.All(letters, line => Assert.Equal(400, (int)JsonNode.Parse(line)!["status_code"]!));
    }

    [Fact]
    public async Task The_prompt_is_shown_only_to_who_asks_for_it()
    {
        var batch = await DieAsync(1);

        var shown = await _desk.OutAsync(0, "dead", "show", batch + ".1");
        var json = await _desk.OutAsync(0, "dead", "show", batch + ".1", "--json");
        var whole = await _desk.OutAsync(0, "dead", "show", batch + ".1", "--content");

        Assert.Contains("row-1", shown);
        Assert.Contains("content_filter: HTTP 400", shown);
        Assert.DoesNotContain("Whisper", shown + json);
        Assert.Contains("Whisper 1", whole);
        Assert.Equal("Whisper 1, in.jsonl", (string)(await _desk.JsonAsync(0, "dead", "show", batch + ".1", "--content"))["body"]!["messages"]![0]!["content"]!);
    }

    [Fact]
    public async Task One_or_all_run_again_and_are_counted_once()
    {
        const int Count = 130;
        var batch = await DieAsync(Count);
        await _desk.OutAsync(0, "queues", "pause", _desk.Model);

        Assert.Equal(1, (int)(await _desk.JsonAsync(0, "dead", "redrive", batch + ".7"))["redriven"]!);
        Assert.Equal(("running", 0, Count - 1, 0, 1), await _desk.StatusAsync(batch));
        Assert.Contains("has no result yet: it is waiting", await _desk.ErrorAsync(1, "result", batch + ".7"));
        Assert.Contains($"job {batch}.7 is no dead letter", await _desk.ErrorAsync(1, "dead", "redrive", batch + ".7"));
        Assert.Contains("is no dead letter: it is waiting", await _desk.ErrorAsync(1, "dead", "show", batch + ".7"));
        Assert.Equal(Count - 1, (int)(await _desk.JsonAsync(0, "dead", "redrive", "--all", "--queue", _desk.Model))["redriven"]!);
        Assert.Equal(("running", 0, 0, 0, Count), await _desk.StatusAsync(batch));
        Assert.Contains("there are no dead letters", await _desk.ErrorAsync(0, "dead", "list", "--queue", _desk.Model));

        await _desk.OutAsync(0, "queues", "resume", _desk.Model);
        await _desk.OutAsync(3, "results", batch, "--wait");
        Assert.Equal(("ended", 0, Count, 0, 0), await _desk.StatusAsync(batch));
        Assert.Equal(Count, (await house.Queue.StatsAsync(_desk.Model)).Dead);
    }

    [Fact]
    public async Task What_is_purged_is_gone_and_stays_counted()
    {
        var batch = await DieAsync(120);

        Assert.Equal(0, (int)(await _desk.JsonAsync(0, "dead", "purge", "--older-than", "1", "--queue", _desk.Model))["purged"]!);
        Assert.Equal(1, (int)(await _desk.JsonAsync(0, "dead", "purge", batch + ".2"))["purged"]!);
        Assert.Contains($"job {batch}.2 is no dead letter", await _desk.ErrorAsync(1, "dead", "purge", batch + ".2"));
        Assert.Contains("119 of 120 failed rows wait again", await _desk.ErrorAsync(1, "retry", batch));
        await _desk.OutAsync(3, "results", batch, "--wait");
        Assert.Equal(119, (int)(await _desk.JsonAsync(0, "dead", "purge", "--all", "--queue", _desk.Model))["purged"]!);

        Assert.Equal(("ended", 0, 120, 0, 0), await _desk.StatusAsync(batch));
        Assert.Equal(0, (await house.Queue.StatsAsync(_desk.Model)).Dead);
        Assert.Equal(3, (await _desk.RunAsync("result", batch + ".2")).ExitCode);
        // The file brings them back.
        Assert.Equal(120, (int)(await _desk.JsonAsync(0, "submit", "in.jsonl", "--retry-failed"))["enqueued"]!);
        await _desk.OutAsync(3, "results", batch, "--wait");
        Assert.Equal(("ended", 0, 120, 0, 0), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task Failed_rows_that_are_retried_can_succeed_and_are_waited_for()
    {
        const int Count = 12;
        const int Failing = 5;
        var own = await FleetHouse.StartAsync(new SimulatorOptions { Script = [.. Enumerable.Repeat(FaultKind.ContentFilter, Failing)], CountTokens = false });
        try
        {
            using var desk = new FleetDesk(own);
            await own.StartWorkerAsync();
            desk.WriteRows("in.jsonl", Count);
            var batch = await desk.SubmitAsync("in.jsonl");
            await desk.OutAsync(3, "results", batch, "--wait", "-o", "out.jsonl");
            Assert.Equal(("ended", Count - Failing, Failing, 0, 0), await desk.StatusAsync(batch));

            var retried = await desk.JsonAsync(0, "retry", batch);
            await desk.OutAsync(0, "results", batch, "--wait", "-o", "out.jsonl");

            Assert.Equal((Failing, Failing), ((int)retried["failed"]!, (int)retried["retried"]!));
            Assert.Equal(("ended", Count, 0, 0, 0), await desk.StatusAsync(batch));
            Assert.Equal(Enumerable.Range(1, Count).Select(n => $"row-{n}"), Rows.CustomIds(desk.Llmpipe.Lines("out.jsonl")));
            Assert.False(desk.Llmpipe.Exists("out.errors.jsonl"));
            Assert.Equal(Count + Failing, own.Llm.Stats.Calls);
            Assert.Contains("has no failed rows", await desk.ErrorAsync(0, "retry", batch));
        }
        finally
        {
            await own.DisposeAsync();
        }
    }

    /// <summary>A fleet whose endpoint refuses every row for what it holds.</summary>
    public sealed class FilteringHouse : FleetHouse
    {
        public FilteringHouse()
            : base(
                new SimulatorOptions
                {
                    FailShare = 1,
                    Faults = [FaultKind.ContentFilter],
                    Latency = TimeSpan.FromMilliseconds(20),
                    CountTokens = false,
                })
        {
        }
    }

    /// <summary>A batch of which every row is a dead letter.</summary>
    private async Task<string> DieAsync(int rows)
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", rows);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await Eventually.HoldsAsync(async () => (await house.Queue.StatsAsync(_desk.Model)).Dead == rows, "each row is dead", TimeSpan.FromSeconds(45));
        return batch;
    }
}
