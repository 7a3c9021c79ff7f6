using System.Globalization;

namespace LlmPipeline;

/// <summary>What a run says to people, on standard error; with <c>--json</c> the report goes to standard output.</summary>
internal sealed class RunConsole(RunOptions options)
{
    private RunProgress? _progress;

    /// <summary>A line on standard error, above the progress view when there is one.</summary>
    public void Say(string line)
    {
        if (_progress is { } progress)
            progress.Say(line);
        else
            Console.Error.WriteLine(line);
    }

    public void Start(RunPlan plan, OutputFile output)
    {
        if (plan.IsSimulated)
            Say("No endpoint is set, so the simulator in this process answers: the answers are synthetic. (OPENAI_BASE_URL, OPENAI_API_KEY or llmpipe.json set a real one.)");
        var models = string.Join(", ", plan.Summary.Models.Keys);
        var earlier = output.Completed + output.Failed;
        Say($"{plan.Input.Path}: {Text(plan.Rows)} rows for {models}{(earlier > 0 ? $", {Text(earlier)} of them answered before" : "")}");
        if (output.Dropped > 0)
            Say($"{output.Paths.Partial}: {Text(output.Dropped)} damaged lines were left out; their rows run again");
    }

    /// <summary>Shows how far the run is, until it is disposed.</summary>
    public RunProgress Watch(RunTally tally, WorkerProcess worker, LlmCaller caller, int missing)
    {
        _progress = RunProgress.Start(tally, worker, caller, missing, () => _progress = null);
        return _progress;
    }

    public void Finished(RunReport report)
    {
        if (options.Json)
            Console.Out.WriteLine(report.ToJson());
        Tell(report);
        Say($"answers: {report.Output}");
        if (report.Errors is not null)
            Say($"errors: {report.Errors} (--retry-failed runs these rows again)");
    }

    public void Stopped(RunReport report, RunStop stop, string partial)
    {
        if (options.Json)
            Console.Out.WriteLine(report.ToJson());
        if (stop.Reason is not null)
            Say($"llmpipe: stopped, no deployment is left: {stop.Reason}");
        Tell(report);
        Say($"{Text(report.CompletedRows + report.FailedRows)} of {Text(report.Rows)} rows are safe in {partial}. The same command again{(options.Again ? ", without --again," : "")} goes on from there.");
    }

    public async Task<int> CheckedAsync(RunPlan plan)
    {
        var tokens = await RunTokens.CountAsync(plan).ConfigureAwait(false);
        if (options.Json)
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $$"""{"rows":{{plan.Summary.Rows}},"blank_lines":{{plan.Summary.BlankLines}},"bytes":{{plan.Summary.Bytes}},"prompt_tokens":{{tokens}}}"""));
        Say($"{plan.Input.Path}: no errors");
        foreach (var (model, rows) in plan.Summary.Models)
            Say($"{Text(rows)} rows for {model}");
        Say($"about {Text(tokens)} prompt tokens{(plan.Options.Limit is null ? "" : $" in the first {Text(plan.Rows)} rows")}, {Text(plan.Summary.BlankLines)} blank lines skipped");
        return ExitCodes.Done;
    }

    public static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private void Tell(RunReport report)
    {
        Say($"{Text(report.Rows)} rows: {Text(report.CompletedRows)} completed, {Text(report.FailedRows)} failed{(report.EarlierRows > 0 ? $"; {Text(report.EarlierRows)} of these before this run" : "")}");
        foreach (var (kind, rows) in report.Failures)
            Say($"  {kind}: {Text(rows)}");
        Say(string.Create(
            CultureInfo.InvariantCulture,
            $"{Text(report.InputTokens)} prompt and {Text(report.OutputTokens)} completion tokens, {Text(report.Calls)} calls in {report.Seconds:0.0} s ({report.CallsPerSecond:0.0}/s), {Text(report.Retries)} retries"));
    }
}
