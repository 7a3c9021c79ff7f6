namespace LlmPipeline.Bench;

/// <summary>What a job costs outside its call: enqueueing, claiming, storing, settling; the start of the process, spread over the jobs, is in it.</summary>
internal sealed class CpuPerJob : Measurement
{
    public override string Name => "cpu";

    public override string Title => "CPU per job, calls end at once";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var outcomes = await bench.Runs.RunAsync(bench.Own(100), bench.BullMq(100), bench.Own(1000), bench.BullMq(1000));
        return
        [
            Row("cpu_us_per_job", "concurrency 100, the process", 0, Target.AtMost(0.15, "BullMQ")), Row("redis_cpu_us_per_job", "concurrency 100, redis-server", 0, null),
            Row("cpu_us_per_job", "concurrency 1,000, the process", 2, Target.AtMost(0.15, "BullMQ")), Row("redis_cpu_us_per_job", "concurrency 1,000, redis-server", 2, null),
        ];

        Comparison Row(string name, string where, int at, Target? target) => new()
        {
            Measure = $"{Title}, {where}",
            Ours = outcomes[at].Median(name, " µs"),
            Peers = [new("BullMQ", outcomes[at + 1].Median(name, " µs"))],
            Target = target,
        };
    }
}
