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
    public async Task Rows_that_Redis_has_lost_are_told_by_all_commands_until_they_are_submitted_again()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        using var desk = new FleetDesk(server.Address);
        desk.WriteRows("in.jsonl", 3);
        var batch = await desk.SubmitAsync("in.jsonl");
        var keys = new QueueKeys("", desk.Model, 0);
        await redis.Database.KeyDeleteAsync(keys.Jobs);

        Assert.Contains("3 rows are gone", await desk.OutAsync(1, "doctor"), StringComparison.Ordinal);
        var mended = await desk.OutAsync(1, "doctor", "--repair");
        Assert.Contains($"batch {batch}: 3 of 3 rows are neither on a queue nor ended: they are gone", mended, StringComparison.Ordinal);
        Assert.Equal(1, (int)(await desk.JsonAsync(1, "doctor", "--repair"))["left"]!);
        var told = await desk.ErrorAsync(1, "results", batch, "--wait");
        Assert.Contains("3 rows have no result: Redis has lost 3 that were submitted", told, StringComparison.Ordinal);
        Assert.DoesNotContain("had their answers", told, StringComparison.Ordinal);

        await desk.SubmitAsync("in.jsonl");
        Assert.Equal("", await desk.OutAsync(0, "doctor"));
        // Where the sets of queues are lost, the batch still names its queue.
        await redis.Database.KeyDeleteAsync(QueueKeys.Queues(""));
        Assert.Contains("has 3 jobs and is retired: no worker serves it", await desk.OutAsync(1, "doctor"), StringComparison.Ordinal);
        await desk.OutAsync(0, "doctor", "--repair");
    }

    [Fact]
    public async Task A_Redis_that_has_nothing_is_not_called_healthy()
    {
        await using var server = await RedisServer.StartAsync();
        using var desk = new FleetDesk(server.Address);
        Assert.Contains("or it has lost everything", await desk.ErrorAsync(0, "doctor"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_queue_cannot_be_examined() =>
        Assert.Contains("there is no queue nowhere", await _desk.ErrorAsync(1, "doctor", "--queue", "nowhere"));
}
