namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class PausingQueues(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_paused_queue_is_not_worked_on_and_says_so_until_it_is_resumed()
    {
        await house.WorkAsync();
        _desk.WriteRows("first.jsonl", 3);
        _desk.WriteRows("in.jsonl", 40);
        await _desk.OutAsync(0, "results", await _desk.SubmitAsync("first.jsonl"), "--wait");

        var paused = await _desk.ErrorAsync(0, "queues", "pause", _desk.Model);
        var batch = await _desk.SubmitAsync("in.jsonl");
        // The worker is awake: another queue is worked on meanwhile.
        using var other = new FleetDesk(house);
        other.WriteRows("in.jsonl", 5);
        await other.OutAsync(0, "results", await other.SubmitAsync("in.jsonl"), "--wait");
        var list = await _desk.OutAsync(0, "queues", "list");
        var status = await _desk.JsonAsync(0, "status");

        Assert.Contains($"queue {_desk.Model} is paused", paused);
        Assert.Equal(("running", 0, 0, 0, 40), await _desk.StatusAsync(batch));
        Assert.Matches($@"(?m)^{_desk.Model} +40 +0 +0 +0 +1 +paused$", list);
        Assert.Matches($@"(?m)^{other.Model} +0 +0 +0 +0 +1 +open$", list);
        var queue = status["queues"]!.AsArray().Single(q => (string)q!["queue"]! == _desk.Model)!;
        Assert.Equal((40, true), ((int)queue["waiting"]!, (bool)queue["paused"]!));
        Assert.Contains(batch, status["batches"]!.AsArray().Select(b => (string)b!["batch"]!));

        Assert.Contains($"queue {_desk.Model} is open", await _desk.ErrorAsync(0, "queues", "resume", _desk.Model));
        await _desk.OutAsync(0, "results", batch, "--wait");
        Assert.Equal(("ended", 40, 0, 0, 0), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task An_unknown_queue_is_none()
    {
        foreach (var verb in (string[])["pause", "resume"])
            Assert.Contains("there is no queue nowhere", await _desk.ErrorAsync(1, "queues", verb, "nowhere"));
    }
}
