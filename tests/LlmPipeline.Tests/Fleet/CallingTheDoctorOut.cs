namespace LlmPipeline;

public sealed class CallingTheDoctorOut(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task It_finds_what_is_broken_mends_it_when_asked_to_and_the_batch_ends_whole()
    {
        const int Count = 20;
        _desk.WriteRows("in.jsonl", Count);
        var batch = await _desk.SubmitAsync("in.jsonl");
        var healthy = await _desk.RunAsync("doctor", "--queue", _desk.Model);
        var keys = (await house.Queue.PartitionsAsync(_desk.Model))[0].Keys;
        var database = house.Redis.Database;
        await database.ListRightPushAsync(keys.Waiting[1], batch + ".1");
        await database.ListRemoveAsync(keys.Waiting[1], batch + ".2");
        await database.SortedSetAddAsync(keys.Inflight, batch + ".2", 1e15);
        await database.ListRemoveAsync(keys.Waiting[1], batch + ".3");
        await database.HashIncrementAsync(keys.Batch(batch), "completed", 3);

        var found = await _desk.RunAsync("doctor", "--queue", _desk.Model);
        var json = await _desk.JsonAsync(1, "doctor", "--queue", _desk.Model);
        var mended = await _desk.RunAsync("doctor", "--queue", _desk.Model, "--repair");
        var clean = await _desk.RunAsync("doctor", "--queue", _desk.Model);

        Assert.Equal((0, ""), (healthy.ExitCode, healthy.Out));
        Assert.Contains("20 jobs, nothing is wrong", healthy.Error);
        Assert.Contains("unsafe: appendonly is off", healthy.Error);
        Assert.Equal(1, found.ExitCode);
        var lines = found.Out.TrimEnd().Split('\n');
        Assert.Equal(
            [$"{_desk.Model}: {batch}", $"{_desk.Model}: {batch}.1", $"{_desk.Model}: {batch}.2", $"{_desk.Model}: {batch}.3"],
            lines.Select(line => string.Join(": ", line.Split(": ")[..2])).Order(StringComparer.Ordinal));
        Assert.Equal(4, (int)json["left"]!);
        Assert.Equal(0, mended.ExitCode);
        Assert.All(mended.Out.TrimEnd().Split('\n'), line => Assert.EndsWith(" (mended)", line));
        Assert.Equal((0, ""), (clean.ExitCode, clean.Out));
        await OnePlace.AssertAsync(database, await house.Queue.PartitionsAsync(_desk.Model));
        await house.WorkAsync();
        await _desk.OutAsync(0, "results", batch, "--wait");
        Assert.Equal(("ended", Count, 0, 0, 0), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task An_unknown_queue_cannot_be_examined() =>
        Assert.Contains("there is no queue nowhere", await _desk.ErrorAsync(1, "doctor", "--queue", "nowhere"));
}
