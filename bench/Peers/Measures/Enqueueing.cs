namespace LlmPipeline.Bench;

/// <summary>How fast jobs are enqueued, in bulk where a peer can.</summary>
internal sealed class Enqueueing : Measurement
{
    public override string Name => "enqueue";

    public override string Title => "enqueue, bulk";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var outcomes = await bench.Runs.RunAsync(
            bench.Own(100), bench.BullMq(100), new DriverCall(Driver.Hangfire, bench.Options.JobsOfSlowPeers, 100), new DriverCall(Driver.Loop, bench.Options.Jobs, 100));
        var rates = outcomes.Select(outcome => outcome.Median("enqueue_per_s", "/s")).ToList();
        return
        [
            new Comparison { Measure = $"{Title}, a stream", Ours = rates[0], Peers = [new("BullMQ", rates[1]), new("Hangfire", rates[2], Counts: false)], Target = Target.AtLeast(8, "BullMQ") },
            new Comparison { Measure = $"{Title}, lists of 1,000, one after the other", Ours = rates[3], Peers = [new("BullMQ", rates[1])], Target = Target.AtLeast(8, "BullMQ") },
        ];
    }
}
