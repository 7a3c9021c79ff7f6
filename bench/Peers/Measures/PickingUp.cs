namespace LlmPipeline.Bench;

/// <summary>How soon an idle worker starts a job, from before it is enqueued.</summary>
internal sealed class PickingUp : Measurement
{
    public override string Name => "pickup";

    public override string Title => "pick-up by an idle worker";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var outcomes = await bench.Runs.RunAsync(bench.Own(100), bench.BullMq(100), new DriverCall(Driver.Sockets, bench.Options.Jobs, 100));
        return [Row("p50"), Row("p99")];

        Comparison Row(string percentile) => new()
        {
            Measure = $"{Title}, {percentile}",
            Ours = outcomes[0].Median($"pickup_ms_{percentile}", " ms"),
            Peers =
            [
                new("BullMQ", outcomes[1].Median($"pickup_ms_{percentile}", " ms")),
                new("two bare round trips by blocking sockets", outcomes[2].Median($"pickup_ms_{percentile}", " ms"), Counts: false),
            ],
            Target = Target.AtMost(0.7, "BullMQ"),
        };
    }
}
