using System.Globalization;
using Xunit.Abstractions;

namespace LlmPipeline;

/// <summary>All faults of the proofs at random under load. As long as the environment's SOAK_MINUTES says; the suite has a short form.</summary>
[Trait("Category", "Full")]
[Collection(nameof(Alone))]
public sealed class Soaking(ITestOutputHelper output)
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan LongEnoughForMemory = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Faults_of_every_kind_at_random_lose_nothing_and_memory_stays_flat()
    {
        var minutes = Environment.GetEnvironmentVariable("SOAK_MINUTES");
        var duration = minutes is null ? Short : TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture));
        var seed = Environment.GetEnvironmentVariable("SOAK_SEED") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : (int)(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() % 100_000);
        output.WriteLine($"seed {seed}");
        using var clock = await SteppedClock.CreateAsync(TimeSpan.Zero);
        await using var fleet = await TestFleet.StartAsync(
            latency: 100, redis: [.. TestFleet.Durable, .. SoakWorkers.RedisOptions], failShare: 0.02, clock: clock);
        await using var workers = new SoakWorkers(fleet, 4);
        var figures = new SoakFigures();
        var load = new SoakLoad(fleet, figures, seed);
        var faults = new SoakFaults(fleet, workers, clock, figures, seed);
        using var stop = new CancellationTokenSource(duration);
        await Task.WhenAll(load.RunAsync(stop.Token), faults.RunAsync(stop.Token), figures.WatchMemoryAsync(fleet, workers, stop.Token));

        var report = figures.Report(duration, fleet.Llm.Stats.PaidTwice);
        output.WriteLine(report);
        if (Environment.GetEnvironmentVariable("SOAK_REPORT") is { } file)
            await File.WriteAllTextAsync(file, $"seed {seed}\n{report}\n");

        var left = await fleet.Queue.StatsAsync(fleet.Name);
        Assert.Equal((0, 0, 0, 0), (left.Waiting, left.Delayed, left.Inflight, left.Dead));
        Assert.Empty((await new QueueDoctor(fleet.Redis, fleet.Queue.Options, TimeProvider.System).ExamineAsync(fleet.Name, repair: false)).Findings);
        Assert.InRange(fleet.Llm.Stats.PaidTwice, 0, figures.InFlightAtFaults);
        if (duration >= LongEnoughForMemory)
            figures.AssertFlat();
    }
}
