using System.CommandLine;
using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary><c>bounds</c>: the longest run of each script on a Redis that holds a great deal.</summary>
internal static class BoundsCommand
{
    private const string Help =
        """
        Measure the longest run of each script of the queue and the quota, by Redis' slow log, on one partition that holds millions of jobs.

        Half of the jobs wait in one lane, a quarter is delayed and a quarter is in flight; as many have a deadline. Of the batches each has its
        hash and is asked to stop. The quota has been used to its limit and then by nobody for a day. Every verb is called --rounds times.
        """;

    public static Command Create()
    {
        var jobs = new Option<int>("--jobs") { Description = "On the queue.", DefaultValueFactory = _ => 10_000_000 };
        var batches = new Option<int>("--batches") { Description = "Beside the one of the jobs.", DefaultValueFactory = _ => 100_000 };
        var rounds = new Option<int>("--rounds") { Description = "Of each verb.", DefaultValueFactory = _ => 20 };
        var command = new Command("bounds", Help) { jobs, batches, rounds };
        command.SetAction(async (parsed, _) =>
        {
            await using var run = await BoundsRun.StartAsync(parsed.GetValue(jobs), parsed.GetValue(batches));
            Console.WriteLine("| verb | longest, ms | above 0.5 ms | above 5 ms |");
            Console.WriteLine("|---|---:|---:|---:|");
            var above = 0;
            await foreach (var (verb, calls, longest, over) in run.MeasureAsync(parsed.GetValue(rounds)))
            {
                Console.WriteLine(FormattableString.Invariant($"| {verb} | {(calls == 0 ? "below 0.5" : longest.TotalMilliseconds.ToString("0.00", CultureInfo.InvariantCulture))} | {calls} | {over} |"));
                above += over;
            }

            Console.WriteLine($"{above} above 5 ms");
            return 0;
        });
        return command;
    }
}
