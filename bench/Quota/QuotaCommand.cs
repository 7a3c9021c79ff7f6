using System.CommandLine;
using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary><c>quota</c>: how much of a provider's quota is used, and how many calls it refuses.</summary>
internal static class QuotaCommand
{
    private const string Help =
        """
        Measure how much of a provider's quota workers use, and how many of their calls it refuses.

        Real worker processes work on a redis-server; the judge is 'llmpipe simulate' as a process: a sliding minute at the limit, and a sliding
        second at three times the even share. Beside each measurement, at the same time and on a judge of its own, the common way: an HttpClient,
        a bucket of requests, a pause on 429. Scenarios: requests, tokens, azure (reservations are never corrected), unknown-requests,
        unknown-tokens (the workers are told no limits), halved-requests, halved-tokens (the judge halves its limits half way).
        """;

    public static Command Create()
    {
        var seconds = new Option<int>("--seconds") { Description = "How long each measurement takes.", DefaultValueFactory = _ => 180 };
        var workers = new Option<int[]>("--workers") { Description = "Worker processes; repeatable. Default: 1 and 4.", DefaultValueFactory = _ => [1, 4] };
        var only = new Option<string[]>("--only") { Description = "Scenarios; repeatable. Default: all.", DefaultValueFactory = _ => [] };
        var rpm = new Option<int>("--rpm") { Description = "The limit where requests bind.", DefaultValueFactory = _ => 1200 };
        var tpm = new Option<int>("--tpm") { Description = "The limit where tokens bind.", DefaultValueFactory = _ => 400_000 };
        var latency = new Option<int>("--latency") { Description = "Of the judge, ms, beside 2 ms a token of the answer; lognormal.", DefaultValueFactory = _ => 300 };
        var concurrency = new Option<int>("--concurrency") { Description = "Calls at once, of all workers.", DefaultValueFactory = _ => 64 };
        var atOnce = new Option<int>("--at-once") { Description = "Measurements at the same time.", DefaultValueFactory = _ => 1 };
        var traces = new Option<DirectoryInfo?>("--traces") { Description = "Where each run goes as CSV and as a picture.", HelpName = "FOLDER" };
        var command = new Command("quota", Help) { seconds, workers, only, rpm, tpm, latency, concurrency, atOnce, traces };
        command.SetAction((parsed, _) => RunAsync(
            [.. parsed.GetRequiredValue(workers)
                .SelectMany(n => QuotaScenario.All(n, parsed.GetValue(rpm), parsed.GetValue(tpm), TimeSpan.FromSeconds(parsed.GetValue(seconds))))
                .Where(s => parsed.GetRequiredValue(only) is not { Length: > 0 } names || names.Contains(s.Name[..s.Name.LastIndexOf('-')]))],
            parsed.GetValue(seconds), parsed.GetValue(latency), parsed.GetValue(concurrency), parsed.GetValue(atOnce), parsed.GetValue(traces)));
        return command;
    }

    private static async Task<int> RunAsync(IReadOnlyList<QuotaScenario> scenarios, int seconds, int latency, int concurrency, int atOnce, DirectoryInfo? traces)
    {
        traces?.Create();
        Console.WriteLine($"{Environment.ProcessorCount} cores, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}, .NET {Environment.Version}; {seconds} s each, {atOnce} at once");
        Console.WriteLine("| scenario | limit/min | used | 429 | full after halving | common way: used | 429 | load |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        await Parallel.ForEachAsync(scenarios, new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (scenario, _) =>
        {
            var (ours, common, said) = await QuotaRun.RunAsync(scenario, seconds, latency, concurrency);
            var line = string.Create(
                CultureInfo.InvariantCulture,
                $"| {scenario.Name} | {scenario.Limit:0} | {ours.Used:P2} | {ours.Refused:P2} | {ours.FullAfterHalving:P1} | {common.Used:P2} | {common.Refused:P2} | {Load()} |");
            Console.WriteLine(line);
            if (traces is null)
                return;
            await File.WriteAllLinesAsync(Path.Join(traces.FullName, scenario.Name + ".csv"), ours.Trace(), CancellationToken.None);
            await File.WriteAllLinesAsync(Path.Join(traces.FullName, scenario.Name + ".common.csv"), common.Trace(), CancellationToken.None);
            await File.WriteAllTextAsync(Path.Join(traces.FullName, scenario.Name + ".svg"), QuotaPicture.Draw(ours, common), CancellationToken.None);
            await File.WriteAllTextAsync(Path.Join(traces.FullName, scenario.Name + ".log"), said, CancellationToken.None);
        });
        return 0;
    }

    // What else the machine had to do: the mean number of runnable threads in the last minute.
    private static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "?";
}
