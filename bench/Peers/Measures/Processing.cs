namespace LlmPipeline.Bench;

/// <summary>How fast one worker process gets through jobs whose calls end at once: results stored, with leases and fences.</summary>
internal sealed class Processing : Measurement
{
    public override string Name => "process";

    public override string Title => "process, calls end at once";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var slow = bench.Options.JobsOfSlowPeers;
        var outcomes = await bench.Runs.RunAsync(
            bench.Own(100), bench.BullMq(100), new DriverCall(Driver.Loop, bench.Options.Jobs, 100), bench.Own(1000), bench.BullMq(1000),
            new DriverCall(Driver.Hangfire, slow, 100), new DriverCall(Driver.Celery, slow, 100));
        var rates = outcomes.Select(outcome => outcome.Median("process_per_s", "/s")).ToList();
        return
        [
            new Comparison
            {
                Measure = $"{Title}, concurrency 100", Ours = rates[0], Target = Target.AtLeast(4, "BullMQ"),
                Peers = [new("BullMQ", rates[1]), new("Hangfire", rates[5], Counts: false), new("Celery", rates[6], Counts: false)],
            },
            new Comparison { Measure = $"{Title}, concurrency 1,000", Ours = rates[3], Peers = [new("BullMQ", rates[4])], Target = Target.AtLeast(4, "BullMQ") },
            Loop("100", rates[0]),
            Loop("1,000", rates[3]),
        ];

        Comparison Loop(string concurrency, Figure ours) => new()
        {
            Measure = $"{Title}, concurrency {concurrency}, against the bare loop",
            Ours = ours,
            Peers = [new("the same scripts in a bare loop", rates[2])],
            Target = Target.AtLeast(0.6, "the loop"),
        };
    }
}
