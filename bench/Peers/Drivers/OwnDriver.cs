using System.CommandLine;
using System.Diagnostics;

namespace LlmPipeline.Bench;

/// <summary><c>own</c>: this project as a driver of the same shape as the peers' ones, so that each runs in a process of its own and says the same line.</summary>
internal static class OwnDriver
{
    /// <summary>How often a pick-up is measured.</summary>
    public const int PickUps = 200;

    public static Command Create()
    {
        var (redis, jobs, concurrency) = (DriverOptions.Redis(), DriverOptions.Jobs(), DriverOptions.Concurrency());
        var url = new Option<Uri?>("--url")
        {
            Description = "The base URL of an LLM, which ends in /v1; none: calls end at once in the process.",
            HelpName = "URL",
            CustomParser = result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var address))
                    return address;
                result.AddError($"'{result.Tokens[0].Value}' is no URL");
                return null;
            },
        };
        var partitions = new Option<int?>("--partitions") { Description = "Partitions of the queue; default: 1, or 16 on a cluster." };
        var command = new Command("own", "This project as a driver like the peers' ones: enqueues, works, says one line of JSON.") { redis, jobs, concurrency, url, partitions };
        command.SetAction((parsed, _) => RunAsync(
            parsed.GetRequiredValue(redis), parsed.GetValue(jobs), parsed.GetValue(concurrency), parsed.GetValue(url), parsed.GetValue(partitions)));
        return command;
    }

    private static async Task<int> RunAsync(string address, int jobs, int concurrency, Uri? url, int? partitions)
    {
        await using var batch = await OwnBatch.OpenAsync(address, $"own{Environment.ProcessId}", jobs, partitions: partitions);
        var none = new NoLlm();
        await using var llm = url is null ? null : batch.Llm(url, concurrency);

        var watch = Stopwatch.StartNew();
        await batch.EnqueueAsync(0, jobs);
        var enqueueSeconds = watch.Elapsed.TotalSeconds;

        await using var worker = batch.Worker(llm ?? (ILlmCaller)none, concurrency);
        watch.Restart();
        await worker.StartAsync([OwnBatch.Model]);
        var progress = await batch.EndAsync(jobs);
        var processSeconds = watch.Elapsed.TotalSeconds;

        var waits = url is null ? await PickUpAsync(batch.Queue, none) : [];
        using var process = Process.GetCurrentProcess();
        DriverOptions.Say(new Dictionary<string, object?>
        {
            ["peer"] = "llmpipeline",
            ["jobs"] = jobs,
            ["concurrency"] = concurrency,
            ["llm"] = url is null ? "none" : "http",
            ["enqueue_per_s"] = Math.Round(jobs / enqueueSeconds),
            ["process_per_s"] = Math.Round(jobs / processSeconds),
            ["failed"] = progress.Failed,
            ["pickup_ms_p50"] = waits.Length > 0 ? Math.Round(waits[PickUps / 2], 2) : null,
            ["pickup_ms_p99"] = waits.Length > 0 ? Math.Round(waits[PickUps - 2], 2) : null,
            ["cpu_us_per_job"] = Math.Round(process.TotalProcessorTime.TotalMicroseconds / jobs, 1),
            ["rss_mb"] = process.WorkingSet64 / 1_000_000,
        });
        return 0;
    }

    /// <summary>How long an idle worker takes to start a job, from before it is enqueued, in ms, sorted.</summary>
    private static async Task<double[]> PickUpAsync(PromptQueue queue, NoLlm llm)
    {
        var waits = new double[PickUps];
        for (var i = 0; i < PickUps; i++)
        {
            var started = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            llm.Started = _ => started.TrySetResult(Stopwatch.GetTimestamp());
            var before = Stopwatch.GetTimestamp();
            await queue.EnqueueAsync(OwnBatch.Model, "x");
            waits[i] = Stopwatch.GetElapsedTime(before, await started.Task).TotalMilliseconds;
            await Task.Delay(10);
        }

        Array.Sort(waits);
        return waits;
    }
}
