namespace LlmPipeline.Bench;

/// <summary>Calls to an endpoint that takes 100 ms.</summary>
internal sealed class CallingAnEndpoint : Measurement
{
    private const int Latency = 100;

    public override string Name => "http";

    public override string Title => $"calls of {Latency} ms";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench) => [await MeasureAsync(bench, 500, 1.5), await MeasureAsync(bench, 5000, 1)];

    private async Task<Comparison> MeasureAsync(PeerBench bench, int concurrency, double times)
    {
        await using var endpoint = await Endpoint.StartAsync(Latency);
        var rates = (await bench.Runs.RunAsync(Call(Driver.Own), Call(Driver.BullMq), Call(Driver.Asyncio))).Select(outcome => outcome.Median("process_per_s", "/s")).ToList();
        return new Comparison
        {
            Measure = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Title}, concurrency {concurrency:N0}, none failed"),
            Ours = rates[0],
            Peers = [new("BullMQ + fetch", rates[1], MayFail: concurrency > 500), new("asyncio + aiohttp", rates[2])],
            Target = Target.AtLeast(times, "the best"),
        };

        DriverCall Call(Driver driver) => new(driver, bench.Options.CallsAt(concurrency), concurrency, endpoint.Url);
    }
}
