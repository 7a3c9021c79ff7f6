using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Carries out <c>run --fleet</c>: submits the rows to the queues that workers serve, waits for their answers and writes these. It calls
/// nothing.
/// </summary>
internal sealed class FleetRunner(RunPlan plan, Settings settings, RunConsole console, ILoggerFactory loggers)
{
    private readonly TimeProvider _time = TimeProvider.System;

    /// <summary>Runs to the end, or until <paramref name="interrupted"/>.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="CliException">It broke; what is done is on disk.</exception>
    public async Task<int> RunAsync(CancellationToken interrupted)
    {
        var options = plan.Options;
        var clock = Stopwatch.GetTimestamp();
        var redis = await RunRedis.OpenAsync(options.Redis, _time, loggers, interrupted).ConfigureAwait(false);
        await using var fleet = new Fleet(redis, new PromptQueue(redis.Connections, settings.Queue(), _time),
            new ResultStore(redis.Connections, settings.Results(), _time), _time);
        var submitter = await Submitter.FindAsync(plan, fleet, interrupted).ConfigureAwait(false);
        await using var output = await OutputFile.OpenAsync(
            plan.Paths(),
            new OutputBatch
            {
                Id = submitter.Batch,
                Family = options.Again ? submitter.Batch[..submitter.Batch.LastIndexOf('-')]
                : submitter.Batch
            },
            new OutputOptions
            {
                Force = options.Force,
                Again = options.Again,
                RetryFailed = options.RetryFailed,
                ReplaceSimulated = options.RetryFailed,
                HoldsAnswer = body => StoredAnswer.Fault(body) is null
            },
            interrupted).ConfigureAwait(false);
        submitter.Use(output.BatchId);
        var missing = Enumerable.Range(1, plan.Rows).Count(row => !output.IsDone(row));
        console.Start(plan, output, null);
        try
        {
            if (missing > 0)
                await AnswerAsync(fleet, submitter, output, interrupted).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            console.Stopped(Report(output, missing, clock),
                new RunStop(ExitCodes.Interrupted, "the rows stay on the queue of the fleet"), output.Paths.Partial);
            return ExitCodes.Interrupted;
        }

        if (Enumerable.Range(1, plan.Rows).Any(row => !output.IsDone(row)))
        {
            console.Stopped(Report(output, missing, clock), new RunStop(ExitCodes.Broke, "some rows have lost their results"),
                output.Paths.Partial);
            return ExitCodes.Broke;
        }

        await output.FinishAsync(plan.Rows, CancellationToken.None).ConfigureAwait(false);
        if (output.Paths.Csv is not null)
            await RunCsv.WriteAsync(plan.Input, plan.Summary, output.Paths, plan.AnswerFields, plan.Options.ExcelSafe, CancellationToken.None).ConfigureAwait(false);
        var report = Report(output, missing, clock);
        console.Finished(plan.IsOutputTemporary ? report with { Output = "standard output" } : report);
        if (plan.IsOutputTemporary)
            await RunPrinter.PrintAsync(output.Paths, interrupted).ConfigureAwait(false);
        return report.FailedRows > 0 ? ExitCodes.FailedRows : ExitCodes.Done;
    }

    private async Task AnswerAsync(Fleet fleet, Submitter submitter, OutputFile output, CancellationToken cancellationToken)
    {
        foreach (var model in plan.Summary.Models.Keys)
        {
            // The second is for workers of earlier versions, which announce nothing.
            if (!await fleet.AnsweredAsync(() => fleet.Queue.Models.IsServedAsync(model), cancellationToken).ConfigureAwait(false)
                && !await fleet.AnsweredAsync(() => fleet.Queue.IsServedAsync(model), cancellationToken).ConfigureAwait(false))
                console.Say($"no worker serves {model} now: its rows wait for one (llmpipe work)");
        }

        var report = await submitter.RunAsync(WhenFull.Wait, row => !output.IsDone(row), cancellationToken).ConfigureAwait(false);
        console.Say(
            $"batch {report.Batch} on Redis at {fleet.Name}: {RunConsole.Text(report.Enqueued)} rows enqueued, "
            + $"{RunConsole.Text(report.AlreadyThere)} were there, {RunConsole.Text(report.Ended)} had ended; waiting for the workers");
        if (report.Cancelled)
            console.Say("the batch was cancelled: its rows end without a call (--retry-failed runs them again)");
        if (report.Simulated)
            console.Say("results of this batch are a simulator's ('llmpipe simulate'); --retry-failed runs these rows again");
        var batch = await fleet.BatchAsync(report.Batch, cancellationToken).ConfigureAwait(false);
        await ResultsFile.FillAsync(fleet.Reader(batch with { Rows = plan.Rows }), output, wait: true,
            cancellationToken).ConfigureAwait(false);
    }

    private RunReport Report(OutputFile output, int missing, long clock) =>
        RunReport.OfFleet(plan, output, missing, Stopwatch.GetElapsedTime(clock));
}
