using System.Globalization;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>What a run says to people, on standard error; with <c>--json</c> the report goes to standard output.</summary>
internal sealed class RunConsole(RunOptions options)
{
    private RunProgress? _progress;

    /// <summary>A line on standard error, above the progress view when there is one.</summary>
    /// <param name="line">Any text.</param>
    /// <param name="level">Written only where lines are JSON; below a warning nothing is said with <c>--quiet</c>.</param>
    public void Say(string line, LogLevel level = LogLevel.Information)
    {
        if (!options.Quiet || level >= LogLevel.Warning)
            Write(Render(line, level));
    }

    /// <summary>The same for a line that is rendered.</summary>
    public void Write(string line)
    {
        var shown = options.LogFormat == LogFormat.Json ? line : TerminalText.ForError(line);
        if (_progress is { } progress)
            progress.Write(shown);
        else
            Console.Error.WriteLine(shown);
    }

    /// <param name="plan">The run.</param>
    /// <param name="output">Its output.</param>
    /// <param name="estimate">What the rows that are missing will take; null when no price is known.</param>
    public void Start(RunPlan plan, OutputFile output, RunEstimate? estimate)
    {
        if (plan.IsSimulated)
            Say("No endpoint is set, so the simulator in this process answers: the answers are synthetic. (OPENAI_BASE_URL, OPENAI_API_KEY or llmpipe.json set a real one.)");
        var models = string.Join(", ", plan.Summary.Models.Keys);
        var earlier = output.Completed + output.Failed;
        Say($"{plan.Input.Path}: {Text(plan.Rows)} rows for {models}{(earlier > 0 ? $", {Text(earlier)} of them answered before" : "")}{(estimate is null ? plan.IsSimulated || plan.IsForFleet ? "" : "; cost unknown, as no price is set" : $"; {estimate.Text}")}");
        if (output.Dropped > 0)
            Say($"{output.Paths.Partial}: {Text(output.Dropped)} damaged lines were left out; their rows run again");
        if (output.Unanswered > 0)
            Say($"{Text(output.Unanswered)} rows that count as completed hold no answer; they run again");
    }

    /// <summary>Shows how far the run is, until it is disposed.</summary>
    /// <returns>The view; null where none is wanted.</returns>
    public RunProgress? Watch(RunWatched run)
    {
        if (options.Quiet || options.NoProgress)
            return null;
        return _progress = RunProgress.Start(run, options.LogFormat == LogFormat.Json ? text => Render(text) : null, () => _progress = null);
    }

    public void Finished(RunReport report)
    {
        if (options.Json)
            Console.Out.WriteLine(report.ToJson());
        Tell(report);
        Say($"answers: {report.Output}");
        if (report.Errors is not null)
            Say($"errors: {report.Errors} (--retry-failed runs these rows again)", LogLevel.Warning);
    }

    public void Stopped(RunReport report, RunStop stop, string partial)
    {
        if (options.Json)
            Console.Out.WriteLine(report.ToJson());
        if (stop.Reason is not null)
            Say($"llmpipe: stopped, {stop.Reason}", LogLevel.Error);
        Tell(report);
        Say($"{Text(report.CompletedRows + report.FailedRows)} of {Text(report.Rows)} rows are safe in {partial}. The same command again{(options.Again ? ", without --again," : "")}{(stop.ExitCode == ExitCodes.FailedRows ? " with a larger --budget" : "")} goes on from there.");
    }

    public static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private string Render(string line, LogLevel level = LogLevel.Information) => options.LogFormat == LogFormat.Json
        ? LogLine.Of(LogFormat.Json, TimeProvider.System.GetUtcNow(), level, line)
        : SafeText.Printable(line);

    private void Tell(RunReport report)
    {
        Say($"{Text(report.Rows)} rows: {Text(report.CompletedRows)} completed, {Text(report.FailedRows)} failed{(report.EarlierRows > 0 ? $"; {Text(report.EarlierRows)} of these before this run" : "")}");
        var special = new[] { (report.CutOffAnswers, "cut off"), (report.EmptyAnswers, "empty"), (report.RefusedAnswers, "refused"), (report.LenientAnswers, "lenient JSON") };
        if (special.Where(one => one.Item1 > 0).Select(one => $"{Text(one.Item1)} {one.Item2}").ToList() is { Count: > 0 } named)
            Say($"  of the answers {string.Join(", ", named)}");
        foreach (var (kind, rows) in report.Failures)
        {
            // A provider may quote a prompt in its sentence, which belongs in no log.
            var sentence = options.LogFormat == LogFormat.Text && report.FailureMessages.TryGetValue(kind, out var said) ? $" ({said})" : "";
            Say($"  {kind}: {Text(rows)}{sentence}", LogLevel.Warning);
        }

        if (report.SimulatedAnswers > 0)
            Say($"{Text(report.SimulatedAnswers)} answers are synthetic: the endpoint is a simulator ('llmpipe simulate'); a run against a real endpoint replaces them");
        if (options.Fleet)
            return;
        Say(string.Create(
            CultureInfo.InvariantCulture,
            $"{Text(report.InputTokens)} prompt{(report.CachedTokens > 0 ? $" ({Text(report.CachedTokens)} of them cached)" : "")} and {Text(report.OutputTokens)} completion tokens, {Text(report.Calls)} calls in {report.Seconds:0.0} s ({report.CallsPerSecond:0.0}/s), {Text(report.Retries)} retries"));
        if (report.UsageEstimated > 0)
            Say($"{Text(report.UsageEstimated)} answers told no usage: their tokens are estimated, and so is their part of the cost");
        if (report.SavedCalls is { } saved)
            Say($"{Text(saved)} rows are copies of the answers of others that ask the same: {Text(saved)} calls saved");
        if (report.Cost is { } cost)
            Say($"cost {Money.Text(cost)}{(report.BatchCost > cost ? $", {Money.Text(report.BatchCost.Value)} with earlier runs" : "")}{(report.Budget is { } budget ? $", of a budget of {Money.Text(budget)}" : "")}");
    }
}
