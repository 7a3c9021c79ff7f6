namespace LlmPipeline.Bench;

/// <summary>What a job costs outside its call: enqueueing, claiming, storing, settling; the start of the process, spread over the jobs, is in it.</summary>
internal sealed class CpuPerJob : Measurement
{
    public override string Name => "cpu";

    public override string Title => "CPU per job, calls end at once";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var outcomes = await bench.Runs.RunAsync(bench.Own(100), bench.BullMq(100));
        return [Row("cpu_us_per_job", "the process", Target.AtMost(0.15, "BullMQ")), Row("redis_cpu_us_per_job", "redis-server", null)];

        Comparison Row(string name, string where, Target? target) => new()
        {
            Measure = $"{Title}, {where}",
            Ours = outcomes[0].Median(name, " µs"),
            Peers = [new("BullMQ", outcomes[1].Median(name, " µs"))],
            Target = target,
        };
    }
}
