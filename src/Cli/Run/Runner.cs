using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Carries out a run: everything in one process, on the embedded store or on a Redis.</summary>
internal sealed class Runner(RunPlan plan, Settings settings, RunConsole console, ILoggerFactory loggers)
{
    private const int RowsInStore = 10_000;
    private const long BytesInStore = 64 * 1024 * 1024;
    private readonly TimeProvider _time = TimeProvider.System;

    /// <summary>Runs to the end, or until <paramref name="interrupted"/>.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="CliException">It broke; what is done is on disk.</exception>
    public async Task<int> RunAsync(CancellationToken interrupted)
    {
        var options = plan.Options;
        await using var output = await OutputFile.OpenAsync(
            OutputPaths.For(options.Input, options.Output),
            plan.Batch(),
            new OutputOptions { Force = options.Force, Again = options.Again, RetryFailed = options.RetryFailed },
            interrupted).ConfigureAwait(false);
        console.Start(plan, output);
        await using var simulator = plan.IsSimulated ? await SimulateAsync(interrupted).ConfigureAwait(false) : null;
        PromptFunctionSource? functions = null;
        RunRedis? store = null;
        // A Redis that others may work on too is where they share the quota.
        await using var caller = new LlmCaller(
            plan.Llm, (sha, token) => functions!.FindAsync(sha, token), _time, loggers, fleet: options.Redis is null ? null : () => store!.Connections);

        var tally = new RunTally();
        var clock = Stopwatch.GetTimestamp();
        var missing = Enumerable.Range(1, plan.Rows).Count(row => !output.IsDone(row));
        RunStop? stop = null;
        if (missing > 0)
        {
            await using var redis = store = await RunRedis.OpenAsync(options.Redis, _time, loggers, interrupted).ConfigureAwait(false);
            var queue = new PromptQueue(redis.Connections, settings.Queue(redis.IsShared), _time);
            functions = new PromptFunctionSource(queue);
            if (plan.Function is not null)
                functions.Add(plan.Function);
            clock = Stopwatch.GetTimestamp();
            stop = await WorkAsync(redis, queue, caller, output, tally, missing, interrupted).ConfigureAwait(false);
        }

        var duration = Stopwatch.GetElapsedTime(clock);
        if (stop is null)
        {
            await output.FinishAsync(plan.Rows, CancellationToken.None).ConfigureAwait(false);
            if (output.Paths.Csv is not null)
                await RunCsv.WriteAsync(plan, output.Paths, CancellationToken.None).ConfigureAwait(false);
        }

        var report = RunReport.Of(plan, output, tally, caller, duration, missing);
        if (stop is not null)
        {
            console.Stopped(report, stop, output.Paths.Partial);
            return stop.ExitCode;
        }

        console.Finished(report);
        return report.FailedRows > 0 ? ExitCodes.FailedRows : ExitCodes.Done;
    }

    private async Task<LlmSimulator> SimulateAsync(CancellationToken cancellationToken)
    {
        var simulator = await LlmSimulator.StartAsync(new SimulatorOptions { CountJobs = false }, cancellationToken).ConfigureAwait(false);
        plan.Llm.Deployments[0].Endpoint = new Uri(simulator.Address, "v1").ToString();
        return simulator;
    }

    /// <returns>Why it stopped early; null when every row has its answer.</returns>
    private async Task<RunStop?> WorkAsync(
        RunRedis redis, PromptQueue queue, LlmCaller caller, OutputFile output, RunTally tally, int missing, CancellationToken interrupted)
    {
        var results = new ResultStore(redis.Connections, settings.Results(redis.IsShared), _time);
        var models = plan.Summary.Models.Keys.ToList();
        var enqueuer = new RowEnqueuer(queue, results, redis, _time);
        var announced = redis.IsShared ? await enqueuer.AnnounceAsync(plan, output.BatchId, interrupted).ConfigureAwait(false) : null;
        var worker = new WorkerProcess(redis.Connections, queue, results, caller, new WorkerOptions { Concurrency = plan.Options.Concurrency ?? settings.Concurrency ?? 32 }, _time, loggers);
        await using var _ = worker.ConfigureAwait(false);
        var window = new RunWindow(RowsInStore, BytesInStore, _time);
        using var collector = new RunCollector(
            results, await queue.Batches.FollowAsync(output.BatchId, models).ConfigureAwait(false), output, window, tally, redis, _time);
        var feeder = new RunFeeder(plan, enqueuer, output, window, collector, redis.IsShared);
        worker.Settled += collector.Look.Set;

        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        await worker.StartAsync(models, interrupted).ConfigureAwait(false);
        await using var progress = console.Watch(tally, worker, caller, missing);
        var feeding = FeedAsync(feeder, collector, announced is null ? null : () => enqueuer.SealAsync(announced, stopping.Token), stopping.Token);
        var collecting = collector.RunAsync(stopping.Token);
        var first = await Task.WhenAny(Task.WhenAll(feeding, collecting), Failed(feeding), Failed(collecting), worker.Closed, Cancelled(interrupted)).ConfigureAwait(false);
        var isDone = first != worker.Closed && !interrupted.IsCancellationRequested && collecting.IsCompletedSuccessfully && feeding.IsCompletedSuccessfully;
        if (interrupted.IsCancellationRequested)
            progress.Say($"stopping: {worker.InFlight} running calls have up to 10 s to finish (Ctrl+C again ends at once)");
        // On a shared Redis this worker may hold rows of others; they get the same time to finish.
        await worker.StopAsync(CancellationToken.None).ConfigureAwait(false);
        if (isDone)
            return null;
        await stopping.CancelAsync().ConfigureAwait(false);
        await EndedAsync(feeding).ConfigureAwait(false);
        await EndedAsync(collecting).ConfigureAwait(false);
        while (await collector.ReadAsync(CancellationToken.None).ConfigureAwait(false))
        {
            // What the last calls brought is paid, and goes to the checkpoint.
        }

        return interrupted.IsCancellationRequested ? new RunStop(ExitCodes.Interrupted, null)
            : worker.Closed.IsCompleted ? new RunStop(ExitCodes.Broke, await worker.Closed.ConfigureAwait(false))
            : throw new UnreachableException("A run stops for a reason.");
    }

    private static async Task FeedAsync(RunFeeder feeder, RunCollector collector, Func<Task>? seal, CancellationToken cancellationToken)
    {
        await feeder.RunAsync(cancellationToken).ConfigureAwait(false);
        if (seal is not null)
            await seal().ConfigureAwait(false);
        collector.AllFed();
    }

    /// <summary>Ends only when <paramref name="work"/> fails, and fails with it.</summary>
    private static async Task Failed(Task work)
    {
        await work.ConfigureAwait(false);
        await Task.Delay(Timeout.Infinite).ConfigureAwait(false);
    }

    private static Task Cancelled(CancellationToken cancellationToken)
    {
        var cancelled = new TaskCompletionSource();
        cancellationToken.Register(cancelled.SetResult);
        return cancelled.Task;
    }

    /// <summary>Waits for work that was told to stop; an error of it is thrown.</summary>
    private static async Task EndedAsync(Task work)
    {
        try
        {
            await work.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It was told to.
        }
    }
}

/// <summary>Why a run stopped early.</summary>
internal sealed record RunStop(int ExitCode, string? Reason);
