using System.CommandLine;
using System.Diagnostics;
using System.Security.Cryptography;

namespace LlmPipeline.Bench;

/// <summary><c>loop</c>: the scripts that a worker calls, without the worker: claim, store, complete, in a few loops at a time. What a worker could come to at most.</summary>
internal static class LoopDriver
{
    private const int Loops = 4;
    private const int JobsPerClaim = 256;

    public static Command Create()
    {
        var (redis, jobs, concurrency) = (DriverOptions.Redis(), DriverOptions.Jobs(), DriverOptions.Concurrency());
        var command = new Command("loop", "This project's scripts in a bare loop: enqueues lists of 1,000, then claims, stores and completes; says one line of JSON. --concurrency means nothing to it.") { redis, jobs, concurrency };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(redis), parsed.GetValue(jobs)));
        return command;
    }

    private static async Task<int> RunAsync(string address, int jobs)
    {
        await using var batch = await OwnBatch.OpenAsync(address, $"loop{Environment.ProcessId}", jobs);
        var watch = Stopwatch.StartNew();
        await batch.EnqueueListsAsync(jobs);
        var enqueueSeconds = watch.Elapsed.TotalSeconds;

        var partition = (await batch.Queue.PartitionsAsync(OwnBatch.Model))[0];
        watch.Restart();
        await Task.WhenAll(Enumerable.Range(0, Loops).Select(n => LoopAsync(partition, batch.Results, $"loop-{n}")));
        var processSeconds = watch.Elapsed.TotalSeconds;
        var progress = await batch.EndAsync(jobs);
        using var process = Process.GetCurrentProcess();
        DriverOptions.Say(new Dictionary<string, object?>
        {
            ["peer"] = "llmpipeline, bare loop",
            ["jobs"] = jobs,
            ["llm"] = "none",
            ["enqueue_per_s"] = Math.Round(jobs / enqueueSeconds),
            ["process_per_s"] = Math.Round(jobs / processSeconds),
            ["failed"] = progress.Failed,
            ["cpu_us_per_job"] = Math.Round(process.TotalProcessorTime.TotalMicroseconds / jobs, 1),
        });
        return 0;
    }

    private static async Task LoopAsync(QueuePartition partition, ResultStore results, string worker)
    {
        while (true)
        {
            var claim = await partition.ClaimAsync(JobsPerClaim, RandomNumberGenerator.GetHexString(32), worker);
            if (claim.Jobs.Count == 0)
                return;
            await results.StoreAsync([.. claim.Jobs.Select(Result)]);
            await partition.CompleteAsync([.. claim.Jobs.Select(job => (job, EndState.Completed))]);
        }
    }

    // As a worker writes it.
    private static JobResult Result(ClaimedJob job)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        return new JobResult
        {
            JobId = job.Job.Id,
            Status = ResultStatus.Completed,
            Response = Answers.Short,
            Meta = new ResultMeta { RequestId = "none", StatusCode = 200, Model = job.Job.Queue, Deployment = "none", Attempts = 1, Enqueued = job.Job.Enqueued.ToUnixTimeMilliseconds(), Started = now, Finished = now },
        };
    }
}
