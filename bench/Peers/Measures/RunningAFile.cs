using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary><c>llmpipe run</c> from start to end, on its embedded store, against a worker's rate of calls to the same endpoint.</summary>
internal sealed class RunningAFile : Measurement
{
    private const int Concurrency = 100;

    public override string Name => "run";

    public override string Title => "llmpipe run, end to end";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        await using var endpoint = await Endpoint.StartAsync(0);
        var rows = bench.Options.Rows;
        var input = Path.Join(bench.Scratch, "rows.jsonl");
        await File.WriteAllLinesAsync(input, Enumerable.Range(0, rows).Select(n => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"custom_id":"row-{{{n}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"sim","messages":[{"role":"user","content":"Summarise text number {{{n}}}"}]}}""")));
        var launcher = await PeerBench.LauncherAsync();
        var rates = new List<double>();
        var worker = await bench.Runs.InTurnsAsync(
            async () => rates.Add(rows / (await RunAsync(launcher, endpoint, input, rates.Count, bench.Scratch)).TotalSeconds), new DriverCall(Driver.Own, rows, Concurrency, endpoint.Url));
        return
        [
            new Comparison
            {
                Measure = string.Create(CultureInfo.InvariantCulture, $"{Title}, {rows:N0} rows, calls of 0 ms, start-up included"),
                Ours = Figure.Of(rates.Order().ElementAt(rates.Count / 2), "/s"),
                Peers = [new("a worker's calls on Redis", worker.Median("process_per_s", "/s"))],
                Target = Target.AtLeast(0.7, "the worker"),
            },
        ];
    }

    private static async Task<TimeSpan> RunAsync(string launcher, Endpoint endpoint, string input, int round, string folder)
    {
        var environment = new Dictionary<string, string>
        {
            ["LLMPIPE__Deployments__0__Name"] = "sim",
            ["LLMPIPE__Deployments__0__Endpoint"] = new Uri(endpoint.Url, "/v1").ToString(),
            ["LLMPIPE__Deployments__0__Concurrency"] = Words.Of(Concurrency),
        };
        string[] arguments = ["run", input, "-o", Path.Join(folder, $"answers-{round}.jsonl"), "--concurrency", Words.Of(Concurrency)];
        return (await FinishedProcess.RunAsync(launcher, arguments, folder, environment)).Took;
    }
}
