using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary><c>llmpipe workers</c>, from <see cref="FleetWorkers"/>.</summary>
public sealed class ListingWorkers : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private FleetHouse _house = null!;
    private FleetDesk _desk = null!;

    public async Task InitializeAsync()
    {
        _house = await FleetHouse.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMinutes(5), CountTokens = false });
        _desk = new FleetDesk(_house);
    }

    public async Task DisposeAsync()
    {
        _desk.Dispose();
        await _house.DisposeAsync();
    }

    [Fact]
    public async Task Each_worker_is_listed_with_what_it_runs_and_leaves_the_list_when_it_stops()
    {
        _house.Set("DrainTimeout", "0");
        var (few, more) = (await _house.StartWorkerAsync(concurrency: 2), await _house.StartWorkerAsync(concurrency: 3));
        _desk.WriteRows("in.jsonl", 10);
        await _desk.SubmitAsync("in.jsonl");

        JsonArray workers = [];
        var before = (await _house.Redis.Clock.NowAsync()).AddMinutes(-1);
        await Eventually.HoldsAsync(
            async () => (workers = await WorkersAsync()).Sum(one => (int)one!["running"]!) == 5, "both run as many as they may", Patience);

        var now = (await _house.Redis.Clock.NowAsync()).AddMinutes(1);
        Assert.Equal([(2, 2), (3, 3)], workers.Select(one => ((int)one!["concurrency"]!, (int)one["running"]!)).Order());
        Assert.All(workers, one =>
        {
            Assert.Equal((Environment.MachineName, "*"), ((string)one!["host"]!, (string)one["models"]![0]!));
            Assert.Matches(@"^\d+\.\d+\.\d+", (string)one["version"]!);
            Assert.InRange(DateTimeOffset.Parse((string)one["last_seen"]!, CultureInfo.InvariantCulture), before, now);
        });
        var lines = (await _desk.OutAsync(0, "workers")).TrimEnd().Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.Matches("^WORKER +HOST +VERSION +CALLS +RUNNING +LAST SEEN +MODELS$", lines[0]);

        more.Terminate();
        Assert.Equal(0, await more.ExitedAsync(Patience));
        Assert.Equal([2], (await WorkersAsync()).Select(one => (int)one!["concurrency"]!));
        few.Terminate();
        Assert.Equal(0, await few.ExitedAsync(Patience));
        Assert.Contains("no workers serve Redis", await _desk.ErrorAsync(0, "workers"));
    }

    [Fact]
    public async Task A_worker_of_an_earlier_version_is_listed_without_what_it_does_not_announce()
    {
        await _house.Queue.Models.AnnounceAsync("earlier", [_desk.Model]);

        var worker = Assert.Single(await WorkersAsync())!;

        Assert.Equal(("earlier", _desk.Model, 0), ((string)worker["worker"]!, (string)worker["models"]![0]!, (int)worker["running"]!));
        Assert.Null(worker["host"]);
        Assert.Null(worker["version"]);
        Assert.Null(worker["concurrency"]);
        Assert.Contains(" ? ", (await _desk.OutAsync(0, "workers")).Split('\n')[1]);
    }

    [Fact]
    public async Task A_worker_that_was_killed_is_listed_no_more_after_30_s_and_removed_by_the_next_that_starts()
    {
        var old = (await _house.Redis.Clock.NowAsync()).ToUnixTimeMilliseconds() - 400_000;
        await _house.Redis.Database.HashSetAsync("pq:workers", "gone", $$"""{"seen":{{old}},"host":"h","version":"0.1.0","concurrency":4}""");

        Assert.Empty(await WorkersAsync());
        await _house.StartWorkerAsync();

        await Eventually.HoldsAsync(
            async () => await WorkersAsync() is [{ }] && !await _house.Redis.Database.HashExistsAsync("pq:workers", "gone"), "only the new one is there", Patience);
    }

    private async Task<JsonArray> WorkersAsync() => (JsonArray)await _desk.JsonAsync(0, "workers");
}
