using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>The most memory (VmHWM) that a worker process takes with thousands of calls in flight.</summary>
internal sealed class WorkerMemory : Measurement
{
    // Long enough that all calls are in flight before the first is answered.
    private const int Latency = 10_000;

    public override string Name => "memory";

    public override string Title => "memory of a worker";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var calls = bench.Options.InFlight;
        return [await CompareAsync("https", Path.Join(bench.Scratch, "endpoint.pem")), await CompareAsync("http", null)];

        async Task<Comparison> CompareAsync(string scheme, string? certificate) => new()
        {
            Measure = string.Create(CultureInfo.InvariantCulture, $"{Title} with {calls:N0} calls in flight, {scheme}"),
            Ours = await FigureAsync(certificate, endpoint => OursAsync(bench, endpoint, calls)),
            Peers = [new("asyncio + aiohttp", await FigureAsync(certificate, endpoint => AsyncioAsync(bench, endpoint, calls)))],
            Target = Target.AtMost(1, "asyncio"),
        };

        async Task<Figure> FigureAsync(string? certificate, Func<Endpoint, Task<MemoryWatch>> run)
        {
            try
            {
                await using var endpoint = await Endpoint.StartAsync(Latency, certificate);
                var seen = await run(endpoint);
                bench.Log($$"""{"calls_in_flight":{{seen.InFlight}},"peak_mib":{{seen.PeakMebibytes.ToString("0.0", CultureInfo.InvariantCulture)}}}""");
                return seen.InFlight >= calls * 0.99 ? Figure.Of(seen.PeakMebibytes, " MiB") : Figure.Missing($"at most {seen.InFlight} calls were in flight");
            }
            catch (MeasurementException e)
            {
                return Figure.Missing(e.Message);
            }
        }
    }

    // A worker as it is in earnest; the launcher becomes it, and keeps its process id.
    private static async Task<MemoryWatch> OursAsync(PeerBench bench, Endpoint endpoint, int calls)
    {
        var launcher = await PeerBench.LauncherAsync();
        await bench.Redis.FlushAsync();
        await using var batch = await OwnBatch.OpenAsync(bench.Redis.Address, "memory", calls * 2);
        await batch.EnqueueAsync(0, calls * 2);
        var (worker, _) = await ChildProcess.StartAsync(
            launcher, ["work", "--redis", bench.Redis.Address, "--concurrency", Words.Of(calls)],
            new Dictionary<string, string>(endpoint.Environment)
            {
                ["LLMPIPE__Deployments__0__Name"] = "sim",
                ["LLMPIPE__Deployments__0__Endpoint"] = new Uri(endpoint.Url, "/v1").ToString(),
                // A quota that never binds: an endpoint without limits is approached slowly, by its latency.
                ["LLMPIPE__Deployments__0__RequestsPerMinute"] = Words.Of(1_000_000_000),
            },
            "working on");
        await using (worker)
        {
            var watch = new MemoryWatch(endpoint, worker.Id);
            var progress = batch.EndAsync(calls * 2);
            await watch.UntilAsync(progress);
            return (await progress).Failed == 0 ? watch : throw new MeasurementException($"{(await progress).Failed} calls failed");
        }
    }

    private static async Task<MemoryWatch> AsyncioAsync(PeerBench bench, Endpoint endpoint, int calls)
    {
        var (program, arguments, folder, environment) = new DriverCall(Driver.Asyncio, calls * 2, calls, endpoint.Url).Command(bench.Redis.Address, bench.Folder);
        MemoryWatch? watch = null;
        var running = FinishedProcess.RunAsync(program, arguments, folder, environment.Union(endpoint.Environment).ToDictionary(), started: id => watch = new MemoryWatch(endpoint, id));
        await (watch?.UntilAsync(running) ?? running);
        var outcome = new DriverOutcome();
        outcome.Add(DriverOutcome.Read((await running).Output) ?? throw new MeasurementException("it said no line of JSON"));
        return outcome.Median("process_per_s", "") is { Why: { } why } ? throw new MeasurementException(why) : watch!;
    }
}
