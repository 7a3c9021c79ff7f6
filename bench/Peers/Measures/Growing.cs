using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>Whether a long queue is as fast as a short one.</summary>
internal sealed class Growing : Measurement
{
    private const int Short = 10_000;
    private const int Jobs = 50_000;

    public override string Name => "growth";

    public override string Title => "process with many waiting";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        // A server of its own, so that nothing of it stays in the others' way.
        await using var redis = await BenchRedis.StartAsync();
        var before = await RateAsync(bench, redis, Short);
        var many = await RateAsync(bench, redis, bench.Options.Waiting);
        // Again, so that a drift of the machine meets both.
        var after = await RateAsync(bench, redis, Short);
        var few = before.Value + after.Value is { } sum ? Figure.Of(sum / 2, "/s") : before.Value is null ? before : after;
        return
        [
            new Comparison
            {
                Measure = string.Create(CultureInfo.InvariantCulture, $"process while {bench.Options.Waiting:N0} wait, 100 bytes each"),
                Ours = many,
                Peers = [new(string.Create(CultureInfo.InvariantCulture, $"ours while {Short:N0} wait"), few)],
                Target = Target.AtLeast(0.9, "that"),
                Note = "enqueued anew as they end, in both",
            },
        ];
    }

    private static async Task<Figure> RateAsync(PeerBench bench, BenchRedis redis, int waiting)
    {
        await redis.FlushAsync();
        var outcome = new DriverOutcome();
        var finished = await bench.RunAsync("growth", "--redis", redis.Address, "--waiting", Words.Of(waiting), "--jobs", Words.Of(Jobs), "--rounds", Words.Of(Math.Max(3, bench.Options.Rounds)));
        outcome.Add(DriverOutcome.Read(finished.Output) ?? throw new MeasurementException("the driver said no line of JSON"));
        return outcome.Median("process_per_s", "/s");
    }
}
