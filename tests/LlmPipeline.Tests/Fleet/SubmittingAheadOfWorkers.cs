namespace LlmPipeline;

public sealed class SubmittingAheadOfWorkers(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task Again_is_a_new_batch_of_the_same_rows()
    {
        _desk.WriteRows("in.jsonl", 3);
        var first = await _desk.SubmitAsync("in.jsonl");

        var second = await _desk.SubmitAsync("in.jsonl", "--again");

        Assert.NotEqual(first, second);
        Assert.StartsWith(first + "-", second);
        Assert.Equal(3, (int)(await _desk.JsonAsync(0, "status", second))["submitted"]!);
    }

    [Fact]
    public async Task Another_number_of_partitions_is_refused_with_what_to_do()
    {
        _desk.WriteRows("in.jsonl", 40);
        var batch = await _desk.SubmitAsync("in.jsonl", "--partitions", "4");

        var refused = await _desk.ErrorAsync(1, "submit", "in.jsonl", "--partitions", "8");

        Assert.Contains($"queue {_desk.Model} has 4 partitions, not 8", refused);
        Assert.Contains("--partitions", refused);
        Assert.Equal(batch, await _desk.SubmitAsync("in.jsonl"));
        Assert.Equal(4, (await house.Queue.PartitionsAsync(_desk.Model)).Count);
        Assert.Equal(40, (await house.Queue.StatsAsync(_desk.Model)).Waiting);
        Assert.Equal(("running", 0, 0, 0, 40), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task Of_a_file_with_a_wrong_row_nothing_is_enqueued()
    {
        _desk.WriteRows("in.jsonl", 2);
        _desk.Llmpipe.Write("wrong.jsonl", [.. _desk.Llmpipe.Lines("in.jsonl"), "{\"custom_id\":\"x\"}"]);

        var error = await _desk.ErrorAsync(2, "submit", "wrong.jsonl");

        Assert.Contains("wrong.jsonl:3: ", error);
        Assert.DoesNotContain(_desk.Model, await house.Queue.QueuesAsync());
    }

    [Fact]
    public async Task Killed_half_way_and_submitted_again_it_is_complete_and_nothing_is_there_twice()
    {
        const int Count = 60_000;
        _desk.WriteRows("in.jsonl", Count);
        using var process = _desk.Start("submit", "in.jsonl");
        await Eventually.HoldsAsync(
            async () => (await house.Queue.QueuesAsync()).Contains(_desk.Model) && (await house.Queue.StatsAsync(_desk.Model)).Waiting >= 1000, "some rows wait", TimeSpan.FromSeconds(60));
        process.Kill();
        await process.WaitForExitAsync();
        var waiting = (await house.Queue.StatsAsync(_desk.Model)).Waiting;
        var batches = await Task.WhenAll((await house.Queue.Batches.ListAsync()).Select(house.Queue.Batches.FindAsync));
        var batch = batches.Single(b => b!.Queues.Contains(_desk.Model))!.Id;
        var halfWay = await _desk.StatusAsync(batch);

        var report = await _desk.JsonAsync(0, "submit", "in.jsonl");

        Assert.InRange(waiting, 1000, Count - 1);
        Assert.Equal(("submitting", 0, 0, 0, Count), halfWay);
        Assert.Equal(batch, (string)report["batch"]!);
        Assert.Equal((Count - waiting, waiting), ((long)report["enqueued"]!, (long)report["already_there"]!));
        Assert.Equal(Count, (await house.Queue.StatsAsync(_desk.Model)).Waiting);
        Assert.Equal(("running", 0, 0, 0, Count), await _desk.StatusAsync(batch));
        await OnePlace.AssertAsync(house.Redis.Database, await house.Queue.PartitionsAsync(_desk.Model));
    }
}
