using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary><c>growth</c>: how fast jobs are processed while so many wait. What ends is enqueued anew, so that both a short and a long queue stay as long as they are.</summary>
internal static class GrowthDriver
{
    private const int WarmUp = 20_000;
    private const int JobsPerFeed = 500;
    private const int Concurrency = 100;

    // With a number of eight digits behind it, the request is 100 bytes.
    private const string Prompt = "Say in a word what this is, please";

    public static Command Create()
    {
        var (redis, jobs) = (DriverOptions.Redis(), DriverOptions.Jobs());
        var waiting = new Option<int>("--waiting") { Description = "Jobs that wait all the time.", Required = true };
        var rounds = new Option<int>("--rounds") { Description = "How often --jobs are processed.", DefaultValueFactory = _ => 3 };
        var command = new Command("growth", "Processes jobs while --waiting wait, with calls that end at once; says one line of JSON.") { redis, jobs, waiting, rounds };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(redis), parsed.GetValue(jobs), parsed.GetValue(waiting), parsed.GetValue(rounds)));
        return command;
    }

    private static async Task<int> RunAsync(string address, int jobs, int waiting, int rounds)
    {
        var end = WarmUp + (jobs * rounds);
        await using var batch = await OwnBatch.OpenAsync(address, $"growth{Environment.ProcessId}", waiting + end, Work);
        var chunks = Enumerable.Range(0, (waiting + JobsPerFeed - 1) / JobsPerFeed);
        await Parallel.ForEachAsync(
            chunks, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (n, _) => await batch.EnqueueAsync(n * JobsPerFeed, Math.Min(JobsPerFeed, waiting - (n * JobsPerFeed))));

        var marks = new long[rounds + 1];
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var started = 0;
        var none = new NoLlm
        {
            Started = _ =>
            {
                var call = Interlocked.Increment(ref started) - WarmUp;
                if (call < 0 || call % jobs != 0 || call / jobs > rounds)
                    return;
                marks[call / jobs] = Stopwatch.GetTimestamp();
                if (call / jobs == rounds)
                    all.TrySetResult();
            },
        };
        await using var worker = batch.Worker(none, Concurrency);
        await worker.StartAsync([OwnBatch.Model]);
        for (var fed = 0; !all.Task.IsCompleted;)
        {
            var seen = batch.Settlements;
            if (none.Calls - fed < JobsPerFeed)
            {
                await Task.WhenAny(batch.SettledAsync(seen), all.Task);
                continue;
            }

            await batch.EnqueueAsync(waiting + fed, JobsPerFeed);
            fed += JobsPerFeed;
        }

        var left = (await batch.Queue.StatsAsync(OwnBatch.Model)).Waiting;
        var rates = marks.Zip(marks.Skip(1), (from, to) => jobs / Stopwatch.GetElapsedTime(from, to).TotalSeconds).Order().ToList();
        DriverOptions.Say(new Dictionary<string, object?>
        {
            ["peer"] = "llmpipeline",
            ["jobs"] = jobs,
            ["waiting"] = waiting,
            ["waiting_at_end"] = left,
            ["process_per_s"] = Math.Round(rates[rounds / 2]),
        });
        return 0;
    }

    private static RequestWork Work(int number) => RequestWork.OfPrompt(OwnBatch.Model, string.Create(CultureInfo.InvariantCulture, $"{Prompt}: {number:00000000}"));
}
