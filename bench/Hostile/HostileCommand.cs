using System.CommandLine;
using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary><c>hostile</c>: an honest caller alone, and beside one whose rows go wrong in every way.</summary>
internal static class HostileCommand
{
    private const string Help =
        """
        Measure what synchronous calls take alone, and beside batches of another caller whose rows are refused, fail, hang or bring giant answers.

        'llmpipe serve' and 'llmpipe work' as processes on a redis-server that keeps nothing on disk; the worker has slots for both. Both callers
        use one model of one endpoint. Alone and beside are measured in turns, each round on a fleet of its own; the ratio is the median of the
        rounds. An honest call that fails is no figure.
        """;

    public static Command Create()
    {
        var calls = new Option<int>("--calls") { Description = "Of the honest caller, in each measurement.", DefaultValueFactory = _ => 1000 };
        var atOnce = new Option<int>("--at-once") { Description = "Of them at once.", DefaultValueFactory = _ => 16 };
        var rows = new Option<int>("--rows") { Description = "Rows of a hostile batch; one batch at a time.", DefaultValueFactory = _ => 48 };
        var slots = new Option<int>("--slots") { Description = "Calls of the worker at once.", DefaultValueFactory = _ => 96 };
        var timeout = new Option<int>("--attempt-timeout") { Description = "Of a call, s.", DefaultValueFactory = _ => 5 };
        var latency = new Option<int>("--latency") { Description = "Of the endpoint, ms.", DefaultValueFactory = _ => 100 };
        var rounds = new Option<int>("--rounds") { Description = "Of alone and beside.", DefaultValueFactory = _ => 3 };
        var kinds = new Option<HostileKind[]>("--kinds") { Description = "What hostile rows meet; all by default.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => Enum.GetValues<HostileKind>() };
        var command = new Command("hostile", Help) { calls, atOnce, rows, slots, timeout, latency, rounds, kinds };
        command.SetAction(async (parsed, _) =>
        {
            var (server, line) = await ChildProcess.StartAsync(
                "dotnet", [Words.ThisProgram, "hostile-endpoint", "--latency", Words.Of(parsed.GetValue(latency))], new Dictionary<string, string>(), "listening on");
            await using (server)
            {
                var endpoint = new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..]);
                Console.WriteLine("| hostile rows | alone, p50 / p99, ms | beside, p50 / p99, ms | ratio of p99 | rows beside | Redis: longest script, peak |");
                Console.WriteLine("|---|---|---|---:|---:|---|");
                foreach (var kind in parsed.GetRequiredValue(kinds))
                {
                    var found = new List<Round>();
                    for (var round = 0; round < parsed.GetValue(rounds); round++)
                    {
                        await using var fleet = await HostileFleet.StartAsync(endpoint, parsed.GetValue(slots), parsed.GetValue(timeout));
                        found.Add(await MeasureAsync(fleet, kind, parsed.GetValue(calls), parsed.GetValue(atOnce), parsed.GetValue(rows)));
                    }

                    Console.WriteLine(Line(kind, found));
                }
            }

            return 0;
        });
        return command;
    }

    private static async Task<Round> MeasureAsync(HostileFleet fleet, HostileKind kind, int calls, int atOnce, int rows)
    {
        // What is compiled at the first call is no part of it.
        await fleet.CallAsync(calls / 4, atOnce);
        var alone = await fleet.CallAsync(calls, atOnce);
        using var stop = new CancellationTokenSource();
        var harassing = fleet.HarassAsync(kind, rows, stop.Token);
        var beside = await fleet.CallAsync(calls, atOnce);
        await stop.CancelAsync();
        return new Round(alone, beside, await harassing, await fleet.RedisAsync());
    }

    private static string Line(HostileKind kind, List<Round> rounds)
    {
        var median = rounds.OrderBy(round => round.Ratio).ElementAt(rounds.Count / 2);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {kind} | {Percentile(median.Alone, 0.5):0} / {Percentile(median.Alone, 0.99):0} | {Percentile(median.Beside, 0.5):0} / {Percentile(median.Beside, 0.99):0} | {median.Ratio:0.00} ({string.Join(", ", rounds.Select(round => round.Ratio.ToString("0.00", CultureInfo.InvariantCulture)))}) | {median.Rows} | {median.Redis} |");
    }

    private static double Percentile(double[] times, double share) => times.Order().ElementAt(Math.Min(times.Length - 1, (int)(times.Length * share)));

    private sealed record Round(double[] Alone, double[] Beside, int Rows, string Redis)
    {
        public double Ratio => Percentile(Beside, 0.99) / Percentile(Alone, 0.99);
    }
}
