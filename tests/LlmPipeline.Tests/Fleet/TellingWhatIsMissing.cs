using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class TellingWhatIsMissing(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task What_is_not_there_yet_is_still_to_come()
    {
        _desk.WriteRows("in.jsonl", 2);
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await house.Queue.PauseAsync(_desk.Model);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await house.Queue.Batches.SaveAsync((await house.Queue.Batches.FindAsync(batch))! with { Rows = 3, Sealed = false });

        Assert.Contains($"job {batch}.2 has no result yet: it is waiting in queue {_desk.Model}", await _desk.ErrorAsync(1, "result", batch + ".2"));
        Assert.Contains("it is not on its queue yet", await _desk.ErrorAsync(1, "result", batch + ".3"));
        var results = await _desk.RunAsync("results", batch);
        Assert.Equal((1, ""), (results.ExitCode, results.Out));
        Assert.Contains("3 rows have no result yet, and perhaps not all were submitted", results.Error);
        Assert.Equal(("submitting", 0, 0, 0, 3), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task What_is_no_longer_kept_has_been_there()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 3);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(0, "results", batch, "--wait");
        await house.Results.DeleteAsync([batch + ".2"]);

        Assert.Contains("has ended, but its result is no longer kept", await _desk.ErrorAsync(1, "result", batch + ".2", "--wait"));
        var lines = (await _desk.OutAsync(3, "results", batch, "--wait")).TrimEnd().Split('\n');
        Assert.Equal([null, "result_expired", null], lines.Select(line => (string?)JsonNode.Parse(line)!["error"]?["code"]));
        Assert.Equal(("ended", 3, 0, 0, 0), await _desk.StatusAsync(batch));
        // Submitting again runs just that row.
        Assert.Equal((1, 2), await _desk.JsonAsync(0, "submit", "in.jsonl") is var again ? ((int)again["enqueued"]!, (int)again["ended"]!) : default);
        await _desk.OutAsync(0, "results", batch, "--wait");
        Assert.Equal(("ended", 3, 0, 0, 0), await _desk.StatusAsync(batch));
    }

    [Theory]
    [InlineData("there is no batch b-nowhere", "status", "b-nowhere")]
    [InlineData("there is no batch b-nowhere", "status", "b-nowhere", "--watch")]
    [InlineData("there is no batch b-nowhere", "results", "b-nowhere", "--wait")]
    [InlineData("there is no batch b-nowhere", "retry", "b-nowhere")]
    [InlineData("there is no batch or job b-nowhere", "cancel", "b-nowhere")]
    [InlineData("there is no job b-nowhere.1", "result", "b-nowhere.1", "--wait")]
    [InlineData("there is no dead letter b-nowhere.1", "dead", "show", "b-nowhere.1")]
    [InlineData("job b-nowhere.1 is no dead letter", "dead", "redrive", "b-nowhere.1")]
    [InlineData("job b-nowhere.1 is no dead letter", "dead", "purge", "b-nowhere.1")]
    public async Task What_never_was_is_said(string said, params string[] command) =>
        Assert.Contains(said, await _desk.ErrorAsync(1, command));
}
