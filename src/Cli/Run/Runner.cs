using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Carries out a run: everything in one process, on the embedded store or on a Redis.</summary>
internal sealed class Runner(RunPlan plan, Settings settings, RunStore store, RunConsole console, ILoggerFactory loggers)
{
    private static readonly TimeSpan RunningCalls = TimeSpan.FromHours(12);
    private const int RowsInStore = 10_000;
    private const long BytesInStore = 64 * 1024 * 1024;
    private readonly TimeProvider _time = TimeProvider.System;

    /// <summary>Runs to the end, or until <paramref name="interrupted"/>.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="CliException">It broke; what is done is on disk.</exception>
    public async Task<int> RunAsync(CancellationToken interrupted)
    {
        var options = plan.Options;
        PromptFunctionSource? functions = null;
        RunRedis? redis = null;
        // The caller takes over its address.
        await using var simulator = plan.IsSimulated ? await SimulateAsync(interrupted).ConfigureAwait(false) : null;
        // A Redis that others may work on too is where they share the quota.
        await using var caller = new LlmCaller(
            plan.Llm, (sha, token) => functions!.FindAsync(sha, token), _time, loggers, fleet: options.Redis is null ? null : () => redis!.Connections);
        await using var output = await OpenAsync(caller, interrupted).ConfigureAwait(false);
        var missing = Enumerable.Range(1, plan.Rows).Count(row => !output.IsDone(row));
        var duplicates = options.Dedupe ? await RunDuplicates.FindAsync(plan, output.StateOf, interrupted).ConfigureAwait(false) : null;
        var copier = duplicates is null ? null : new RunCopier(plan, output, duplicates);
        var toCall = missing - (duplicates?.Followers(row => !output.IsDone(row)) ?? 0);
        bool IsCalled(int row) => duplicates?.Leads(row) != false;
        var estimate = RunEstimate.HasPrices(plan)
            ? await RunEstimate.OfSampleAsync(plan, row => !output.IsDone(row) && IsCalled(row), toCall, interrupted).ConfigureAwait(false)
            : null;
        console.Start(plan, output, estimate);
        CostQuestion.Ask(estimate, settings.AskAbove, options.Yes);
        var tally = new RunTally(caller.WithoutKeys);
        var clock = Stopwatch.GetTimestamp();
        var spending = new RunSpending(caller, new OutputSpent(output.Paths, output.BatchId), options.Budget);
        spending.Begin();
        RunStop? stop = null;
        if (toCall > 0)
        {
            redis = await store.OpenAsync().ConfigureAwait(false);
            var queue = new PromptQueue(redis.Connections, settings.Queue(redis.IsShared), _time);
            functions = new PromptFunctionSource(queue);
            if (plan.Function is not null)
                functions.Add(plan.Function);
            clock = Stopwatch.GetTimestamp();
            try
            {
                stop = await WorkAsync(redis, queue, caller, output, tally, spending, toCall, IsCalled, copier, interrupted).ConfigureAwait(false);
            }
            catch (OutputException) when (!output.IsInPlace)
            {
                stop = await new OutputWatch(output, _time).RestoreAsync().ConfigureAwait(false);
            }
        }

        spending.Save();
        var duration = Stopwatch.GetElapsedTime(clock);
        var (isFinished, end) = stop is null ? await new RunEnd(plan, output, copier).RunAsync().ConfigureAwait(false) : (false, stop);
        var report = RunReport.Of(plan, output, tally, spending, caller, duration, missing, copier?.Copied);
        if (end is not null)
        {
            console.Stopped(report, end, isFinished ? output.Paths.Results : output.Paths.Partial);
            return end.ExitCode;
        }

        if (report.FailedRows == 0)
            spending.Forget();
        console.Finished(plan.IsOutputTemporary ? report with { Output = "standard output" } : report);
        if (plan.IsOutputTemporary)
            await RunPrinter.PrintAsync(output.Paths, interrupted).ConfigureAwait(false);
        return report.FailedRows > 0 ? ExitCodes.FailedRows : ExitCodes.Done;
    }

    /// <summary>Opens the output. Answers of a simulator count only where one still answers.</summary>
    private async Task<OutputFile> OpenAsync(LlmCaller caller, CancellationToken cancellationToken)
    {
        var output = await OpenAsync(replaceSimulated: false, cancellationToken).ConfigureAwait(false);
        if (output.Simulated == 0 || plan.IsSimulated || await IsSimulatorAsync(caller, cancellationToken).ConfigureAwait(false))
            return output;
        console.Say($"{RunConsole.Text(output.Simulated)} rows have the answers of a simulator; they run again");
        await output.DisposeAsync().ConfigureAwait(false);
        return await OpenAsync(replaceSimulated: true, cancellationToken).ConfigureAwait(false);
    }

    private Task<OutputFile> OpenAsync(bool replaceSimulated, CancellationToken cancellationToken) =>
        new RunOutput(plan, console).OpenAsync(replaceSimulated, cancellationToken);

    private async Task<bool> IsSimulatorAsync(LlmCaller caller, CancellationToken cancellationToken)
    {
        foreach (var model in plan.Summary.Models.Keys)
        {
            if (!await caller.IsSimulatedAsync(model, cancellationToken).ConfigureAwait(false))
                return false;
        }

        return true;
    }

    private async Task<LlmSimulator> SimulateAsync(CancellationToken cancellationToken)
    {
        var simulator = await LlmSimulator.StartAsync(new SimulatorOptions { CountJobs = false }, cancellationToken).ConfigureAwait(false);
        plan.Llm.Deployments[0].Endpoint = new Uri(simulator.Address, "v1").ToString();
        return simulator;
    }

    /// <returns>Why it stopped early; null when every row has its answer.</returns>
    private async Task<RunStop?> WorkAsync(
        RunRedis redis, PromptQueue queue, LlmCaller caller, OutputFile output, RunTally tally, RunSpending spending, int toCall, Func<int, bool> isCalled, RunCopier? copier,
        CancellationToken interrupted)
    {
        var results = new ResultStore(redis.Connections, settings.Results(redis.IsShared), _time);
        await using var live = redis.IsShared ? await BatchLock.TakeAsync(queue, output.BatchId, _time, redis.Logger, interrupted).ConfigureAwait(false) : null;
        var models = plan.Summary.Models.Keys.ToList();
        var queues = models.ToDictionary(model => plan.QueueOf(output.BatchId, model), StringComparer.Ordinal);
        var (info, submitter) = await AnnounceAsync(redis, queue, results, caller, output.BatchId, interrupted).ConfigureAwait(false);
        var concurrency = plan.Options.Concurrency ?? settings.Concurrency ?? 32;
        var worker = new WorkerProcess(redis.Connections, queue, results, caller, new WorkerOptions { Concurrency = concurrency, MayClaim = () => spending.MayClaim, ChecksPermissions = redis.IsShared }, _time, loggers);
        await using var _ = worker.ConfigureAwait(false);
        var blockages = new RunBlockages(caller, output.BatchId);
        // Rows that run, and a few that are taken up while their answers go to disk.
        var leastRows = concurrency + Math.Max(4, concurrency / 4);
        var window = new RunWindow(RowsInStore, BytesInStore, leastRows, target => blockages.Any && blockages.IsBlocked(target), _time);
        var reader = new BatchReader(queue, results, info, _time, redis.Logger);
        var earlier = redis.IsShared ? EarlierRows.Of(info, queue, results, redis, _time) : null;
        // Of rows on shared queues Redis also counts what others have paid.
        if (redis.IsShared && earlier is null)
            spending.Count((await redis.AnsweredAsync(() => queue.Batches.ProgressAsync(output.BatchId), interrupted).ConfigureAwait(false)).SpentNanos);
        spending.Look();
        var requests = new RunRequests(plan);
        using var collector = new RunCollector(results, reader, output, window, tally, spending, redis.IsShared, requests);
        var feeder = new RunFeeder(plan, submitter, earlier, output, window, collector, isCalled, blockages, requests);
        worker.Completed += collector.Know;
        worker.CompletedUnstored += collector.KnowUnstored;
        worker.Settled += collector.Look.Set;
        worker.Settled += spending.Look;
        var failures = new RunFailures(plan.Options.MaxFailures, tally, toCall);
        worker.Settled += failures.Look;
        var watch = new OutputWatch(output, _time);
        var changed = new VersionedSignal();
        worker.Settled += changed.Set;
        caller.AvailabilityChanged += changed.Set;
        caller.AvailabilityChanged += window.Look;

        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        await worker.StartAsync(queues, interrupted).ConfigureAwait(false);
        await using var view = console.Watch(new RunWatched(tally, spending, worker, caller, toCall, concurrency));
        var feeding = FeedAsync(feeder, collector, redis.IsShared ? () => submitter.SealAsync(info with { Submitted = Math.Max(info.Submitted, feeder.Submitted) }, stopping.Token) : null, stopping.Token);
        var collecting = collector.RunAsync(stopping.Token);
        var following = earlier?.FollowAsync(feeder, collector, stopping.Token) ?? Task.CompletedTask;
        var isTaken = live?.Lost ?? new TaskCompletionSource<string>().Task;
        var blocked = BlockedAsync(feeder, window, changed, stopping.Token);
        var gone = watch.GoneAsync(stopping.Token);
        var first = await Task.WhenAny(
            Task.WhenAll(feeding, collecting), RunTasks.Failed(feeding), RunTasks.Failed(collecting), RunTasks.Failed(following), RunTasks.Failed(worker.Failed), isTaken, blocked, RunTasks.Cancelled(interrupted), spending.Reached,
            failures.Exceeded, gone).ConfigureAwait(false);
        var lost = first == gone ? await watch.RestoreAsync().ConfigureAwait(false) : null;
        var isDone = first != blocked && !interrupted.IsCancellationRequested && collecting.IsCompletedSuccessfully && feeding.IsCompletedSuccessfully;
        if (interrupted.IsCancellationRequested)
            console.Say(Stopping("stopping", worker.Counts, "have up to 10 s to finish") + " (Ctrl+C again ends at once)");
        var isSpent = first == spending.Reached;
        if (isSpent)
            console.Say(Stopping($"the budget of {Money.Text(spending.Budget!.Value)} is reached", worker.Counts, "end"));
        var ended = await worker.StopAsync(isSpent ? interrupted : CancellationToken.None, isSpent ? RunningCalls : null).ConfigureAwait(false);
        if (interrupted.IsCancellationRequested)
            console.Say($"stopped: {RunConsole.Text(ended.Finished)} rows finished, {RunConsole.Text(ended.GivenBack)} were given back");
        await stopping.CancelAsync().ConfigureAwait(false);
        await RunTasks.EndedAsync(following).ConfigureAwait(false);
        await RunTasks.EndedAsync(gone).ConfigureAwait(false);
        if (isDone)
        {
            await CompleteAsync(redis, queue, results, queues.Keys, copier).ConfigureAwait(false);
            return null;
        }

        var edited = await RunTasks.ChangedAsync(feeding).ConfigureAwait(false);
        await RunTasks.EndedAsync(blocked).ConfigureAwait(false);
        await RunTasks.EndedAsync(collecting).ConfigureAwait(false);
        while (await collector.ReadAsync(CancellationToken.None).ConfigureAwait(false))
        {
            // What the last calls brought is paid, and goes to the checkpoint.
        }

        if (worker.Failed.IsFaulted)
            await worker.Failed.ConfigureAwait(false);
        // The last calls may have been the last rows.
        if (isSpent && Enumerable.Range(1, plan.Rows).All(row => output.IsDone(row) || !isCalled(row)))
        {
            await CompleteAsync(redis, queue, results, queues.Keys, copier).ConfigureAwait(false);
            return null;
        }

        if ((lost ?? edited) is { } broke)
            return broke;
        if (first == failures.Exceeded)
            return failures.Stop;
        if (first == isTaken)
            return new RunStop(ExitCodes.Broke, $"{await isTaken.ConfigureAwait(false)} runs this batch now, because this process was stopped for some seconds");
        return interrupted.IsCancellationRequested ? new RunStop(ExitCodes.Interrupted, null)
            : first == blocked ? new RunStop(ExitCodes.Broke, $"no deployment is left: {blockages.Reason(models) ?? "the last outage has just ended"}")
            : isSpent ? new RunStop(ExitCodes.FailedRows, $"the budget of {Money.Text(spending.Budget!.Value)} is reached: {Money.Text(spending.InAll ?? 0)} is spent")
            : throw new UnreachableException("A run stops for a reason.");
    }

    /// <summary>Announces the batch on a shared Redis, where others read it.</summary>
    private async Task<(BatchInfo Batch, BatchSubmitter Submitter)> AnnounceAsync(
        RunRedis redis, PromptQueue queue, ResultStore results, LlmCaller caller, string batch, CancellationToken cancellationToken)
    {
        var info = plan.Info(batch);
        if (!redis.IsShared)
            return (info, new BatchSubmitter(queue, results, _time, redis.Logger));
        var known = await redis.AnsweredAsync(() => queue.Batches.FindAsync(batch), cancellationToken).ConfigureAwait(false);
        var replaces = known is { Simulated: true } && !await IsSimulatorAsync(caller, cancellationToken).ConfigureAwait(false);
        var submitter = new BatchSubmitter(queue, results, _time, redis.Logger)
        {
            RerunErrors = plan.Options.RetryFailed,
            ReplaceSimulated = replaces,
            AnswerFault = plan.Options.RetryFailed ? StoredAnswer.Fault : null,
        };
        if (plan.Function is { } function)
            await redis.DoneAsync(() => queue.SavePromptAsync(function.Sha, function.Name, function.Files), cancellationToken).ConfigureAwait(false);
        info = await submitter.AnnounceAsync(info, cancellationToken).ConfigureAwait(false);
        await redis.DoneAsync(queue.Private.RetireExpiredAsync, cancellationToken).ConfigureAwait(false);
        return (info, submitter);
    }

    /// <summary>All rows have their answers: copies are made, and the private queues are gone.</summary>
    private static async Task CompleteAsync(RunRedis redis, PromptQueue queue, ResultStore results, IEnumerable<string> queues, RunCopier? copier)
    {
        if (!redis.IsShared)
            return;
        if (copier is not null)
            await copier.CopyAsync((redis, results), CancellationToken.None).ConfigureAwait(false);
        foreach (var name in queues)
            await redis.DoneAsync(() => queue.Private.RetireAsync(name), CancellationToken.None).ConfigureAwait(false);
    }

    private static string Stopping(string why, CallCounts counts, string sent) =>
        $"{why}: nothing more is sent, {RunConsole.Text(counts.InFlight)} calls in flight {sent}, {RunConsole.Text(counts.Unsent)} rows that are not sent are given back";

    private static async Task FeedAsync(RunFeeder feeder, RunCollector collector, Func<Task>? seal, CancellationToken cancellationToken)
    {
        await feeder.RunAsync(cancellationToken).ConfigureAwait(false);
        if (feeder.Skipped > 0)
            return;
        if (seal is not null)
            await seal().ConfigureAwait(false);
        collector.AllFed();
    }

    /// <summary>Ends when no deployment can serve any row that is left.</summary>
    private async Task BlockedAsync(RunFeeder feeder, RunWindow window, VersionedSignal changed, CancellationToken cancellationToken)
    {
        while (true)
        {
            var seen = changed.Version;
            if (feeder.IsDone && (window.Rows > 0 || feeder.Skipped > 0) && window.IsBlocked)
                return;
            await changed.WaitAsync(seen, TimeSpan.FromSeconds(1), _time, cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>Why a run stopped early.</summary>
internal sealed record RunStop(int ExitCode, string? Reason);
