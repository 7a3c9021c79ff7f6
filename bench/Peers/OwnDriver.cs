using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Bench;

/// <summary><c>own</c>: this project as a driver of the same shape as the peers' ones, so that each runs in a process of its own and says the same line.</summary>
internal static class OwnDriver
{
    private const string Model = "sim";
    private const int JobsPerCall = 1000;
    private const int PickUps = 200;

    public static Command Create()
    {
        var redis = new Option<string>("--redis") { DefaultValueFactory = _ => "127.0.0.1:6379", HelpName = "HOST:PORT" };
        var jobs = new Option<int>("--jobs") { DefaultValueFactory = _ => 20_000 };
        var concurrency = new Option<int>("--concurrency") { DefaultValueFactory = _ => 100 };
        var url = new Option<Uri?>("--url") { Description = "The base URL of an LLM, which ends in /v1; none: calls end at once in the process." };
        var command = new Command("own", "This project as a driver like the peers' ones: enqueues, works, says one line of JSON.") { redis, jobs, concurrency, url };
        command.SetAction((parsed, _) => RunAsync(
            parsed.GetRequiredValue(redis), parsed.GetValue(jobs), parsed.GetValue(concurrency), parsed.GetValue(url)));
        return command;
    }

    private static async Task<int> RunAsync(string address, int jobs, int concurrency, Uri? url)
    {
        await using var redis = await RedisConnections.ConnectAsync(RedisAddress.Parse(address), TimeProvider.System);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var none = new NoLlm();
        await using var llm = url is null ? null : Llm(url, queue, concurrency);
        var batch = $"own{Environment.ProcessId}";

        await queue.Batches.SaveAsync(new BatchInfo { Id = batch, Rows = jobs, Queues = [Model] });

        var watch = Stopwatch.StartNew();
        for (var from = 0; from < jobs; from += JobsPerCall)
            await queue.EnqueueAsync([.. Enumerable.Range(from, Math.Min(JobsPerCall, jobs - from)).Select(Job)]);
        var enqueueSeconds = watch.Elapsed.TotalSeconds;

        await using var worker = new WorkerProcess(
            redis, queue, results, llm ?? (ILlmCaller)none, new WorkerOptions { Concurrency = concurrency }, TimeProvider.System, NullLoggerFactory.Instance);
        var settled = new VersionedSignal();
        worker.Settled += settled.Set;
        watch.Restart();
        await worker.StartAsync([Model]);
        await EndAsync();
        var processSeconds = watch.Elapsed.TotalSeconds;
        var waits = url is null ? await PickUpAsync(queue, none) : [];
        using var process = Process.GetCurrentProcess();
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["peer"] = "llmpipeline",
            ["jobs"] = jobs,
            ["concurrency"] = concurrency,
            ["llm"] = url is null ? "none" : "http",
            ["enqueue_per_s"] = Math.Round(jobs / enqueueSeconds),
            ["process_per_s"] = Math.Round(jobs / processSeconds),
            ["pickup_ms_p50"] = waits.Length > 0 ? Math.Round(waits[PickUps / 2], 2) : null,
            ["pickup_ms_p99"] = waits.Length > 0 ? Math.Round(waits[PickUps - 2], 2) : null,
            ["cpu_us_per_job"] = Math.Round(process.TotalProcessorTime.TotalMicroseconds / jobs),
            ["rss_mb"] = process.WorkingSet64 / 1_000_000,
        }));
        return 0;

        async Task EndAsync()
        {
            while (true)
            {
                var seen = settled.Version;
                if (worker.InFlight == 0 && (await queue.Batches.ProgressAsync(batch)).Ended == jobs)
                    return;
                await settled.WaitAsync(seen, TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None);
            }
        }

        Job Job(int number) => new()
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{batch}.{number + 1}"),
            Queue = Model,
            Batch = batch,
            Row = number + 1,
            Work = RequestWork.OfPrompt(Model, $"Summarise text number {number}"),
        };
    }

    private static LlmCaller Llm(Uri url, PromptQueue queue, int concurrency) => new(
        new LlmOptions { Deployments = { new DeploymentOptions { Name = "sim", Endpoint = url.ToString(), Concurrency = concurrency } } },
        new PromptFunctionSource(queue).FindAsync, TimeProvider.System, NullLoggerFactory.Instance);

    /// <summary>How long an idle worker takes to start a job, from before it is enqueued, in ms, sorted.</summary>
    private static async Task<double[]> PickUpAsync(PromptQueue queue, NoLlm llm)
    {
        var waits = new double[PickUps];
        for (var i = 0; i < PickUps; i++)
        {
            var started = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            llm.Started = _ => started.TrySetResult(Stopwatch.GetTimestamp());
            var before = Stopwatch.GetTimestamp();
            await queue.EnqueueAsync(Model, "x");
            waits[i] = Stopwatch.GetElapsedTime(before, await started.Task).TotalMilliseconds;
            await Task.Delay(10);
        }

        Array.Sort(waits);
        return waits;
    }
}
