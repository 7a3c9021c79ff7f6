using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class WatchingABatch(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task It_tells_what_changes_in_plain_lines_and_ends_with_the_batch()
    {
        _desk.WriteRows("in.jsonl", 10);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await using var text = new WorkProcess(_desk.Start("status", batch, "--watch"));
        await using var json = new WorkProcess(_desk.Start("status", batch, "--watch", "--json"));
        await Eventually.HoldsAsync(() => Task.FromResult(text.Said.Contains("left       10") && json.Said.Contains("\"left\":10")), "the first views are there", Patience);
        await house.WorkAsync();

        Assert.Equal((0, 0), (await text.ExitedAsync(Patience), await json.ExitedAsync(Patience)));
        Assert.DoesNotContain('\u001b', text.Said);
        Assert.Contains($"batch      {batch}, running", text.Said);
        Assert.EndsWith("left       0\n", text.Said);
        var views = json.Said.TrimEnd().Split('\n').Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal("ended", (string)views[^1]["state"]!);
        Assert.Equal(views.Count, views.Select(view => view.ToJsonString()).Distinct().Count());
    }

    [Fact]
    public async Task Stopping_the_watching_or_the_waiting_stops_nothing_else()
    {
        _desk.WriteRows("in.jsonl", 1);
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await house.Queue.PauseAsync(_desk.Model);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await using var batchWatch = new WorkProcess(_desk.Start("status", batch, "--watch"));
        await using var allWatch = new WorkProcess(_desk.Start("status", "--watch"));
        await Eventually.HoldsAsync(() => Task.FromResult(batchWatch.Said.Length > 0 && allWatch.Said.Contains(batch)), "both watch", Patience);
        await using var results = new WorkProcess(_desk.Start("results", batch, "--wait", "-o", "out.jsonl"));
        await Eventually.HoldsAsync(() => Task.FromResult(_desk.Llmpipe.Exists("out.jsonl.partial")), "somebody waits", Patience);

        foreach (var process in (WorkProcess[])[batchWatch, allWatch, results])
            process.Terminate();

        Assert.Equal((0, 0, 130), (await batchWatch.ExitedAsync(Patience), await allWatch.ExitedAsync(Patience), await results.ExitedAsync(Patience)));
        Assert.Equal(("running", 0, 0, 0, 1), await _desk.StatusAsync(batch));
    }
}
