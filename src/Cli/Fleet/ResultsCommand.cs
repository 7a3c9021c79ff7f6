using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe results BATCH</c>.</summary>
internal static class ResultsCommand
{
    private const string Help =
        """
        Fetch the results of a batch, in the order of its rows.

        The lines (OpenAI Batch output: id, custom_id, response, error) go to standard output, or with -o completions go to
        OUTPUT and failed rows to its .errors.jsonl, as with 'run'. BATCH is the id that 'submit' printed.

        Without --wait: what there is now. With --wait: all, as they come. With -o, what was fetched is kept in
        OUTPUT.partial; the same command again goes on there, and fetches failed rows anew. With -o, --json prints a report.

        A row whose result is no longer kept (30 days) gets a line with the error result_expired; 'submit' of the same file
        runs such rows again. A table (-o x.csv) also needs --input, the file that was submitted, for its columns. Nothing is called.

        Examples:
          llmpipe results BATCH --redis redis.internal:6379 > so-far.jsonl
          llmpipe results $batch --wait -o answers.jsonl
          llmpipe results $batch --wait --input rows.csv -o answers.csv
          llmpipe results $batch --wait | jq .response.body

        Exit codes: 0 all rows completed, 1 unknown batch, or rows are still to come, 2 bad usage, 3 all rows have ended and
        some failed, 130 interrupted.
        """;

    private static readonly Argument<string> Batch = new("BATCH") { Description = "The batch's id or name." };
    private static readonly Option<string?> Output = new("--output", "-o") { Description = "Where the completions go: a .jsonl file, or with --input a .csv file that also gets the input's columns.", HelpName = "OUTPUT" };
    private static readonly Option<string?> Input = new("--input") { Description = "The file that was submitted, for the columns of a table.", HelpName = "FILE" };
    private static readonly Option<string?> Prompt = new("--prompt") { Description = "With --input: the prompt function that the rows are for, as 'submit' got it. Needed only where the file does not show its kind.", HelpName = "NAME" };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until all rows have ended. Ctrl+C ends the waiting, not the batch." };
    private static readonly Option<bool> Force = new("--force") { Description = "Replace an output that holds something else." };

    public static Command Create() => FleetCommand.Create("results", Help, [Batch, Output, Input, Prompt, Wait, Force], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var output = call.Line.GetValue(Output);
        var wait = call.Line.GetValue(Wait);
        var (source, prompt) = (call.Line.GetValue(Input), call.Line.GetValue(Prompt));
        var isTable = output is not null && Path.GetExtension(output).ToUpperInvariant() is ".CSV" or ".TSV";
        if (isTable && source is null)
            throw CliException.Usage($"-o {output}: a table needs --input FILE, the file that was submitted");
        if (source is not null && !isTable)
            throw CliException.Usage("--input is for a table: -o OUTPUT.csv");
        if (prompt is not null && source is null)
            throw CliException.Usage("--prompt goes with --input FILE");
        var paths = output is null ? null : OutputPaths.For(source, output);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var batch = await fleet.BatchAsync(call.Line.GetRequiredValue(Batch), cancellationToken).ConfigureAwait(false);
        var reader = fleet.Reader(batch);
        var table = source is null ? ((InputFile Input, InputSummary Summary)?)null
            : await ResultsInput.OpenAsync(source, prompt, reader, call.Settings.MaxRowBytes, cancellationToken).ConfigureAwait(false);
        ResultsReport report;
        if (paths is null)
        {
            await using var lines = new ResultsStream(Console.OpenStandardOutput());
            report = await lines.WriteAsync(reader, wait, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var file = new ResultsFile(paths, call.Line.GetValue(Force));
            report = await file.WriteAsync(
                reader, wait, table is { } made ? () => RunCsv.WriteAsync(made.Input, made.Summary, paths, [], isExcelSafe: false, CancellationToken.None) : null, cancellationToken).ConfigureAwait(false);
            if (call.Json)
                Console.Out.WriteLine(FleetJson.Of(report));
        }

        Say(report, batch, wait, report.Open > 0 && wait ? await WithoutResultAsync(fleet, batch.Id, report, cancellationToken).ConfigureAwait(false) : "");
        return report.Open > 0 ? ExitCodes.Broke : report.Failed + report.Expired > 0 ? ExitCodes.FailedRows : ExitCodes.Done;
    }

    /// <summary>Why rows have no result although all that is on the queue has ended.</summary>
    private static async Task<string> WithoutResultAsync(Fleet fleet, string id, ResultsReport report, CancellationToken cancellationToken)
    {
        if (await fleet.FindBatchAsync(id, cancellationToken).ConfigureAwait(false) is not { } batch)
            return $"{RunConsole.Text(report.Open)} rows have no result, and Redis has lost batch {id}: submitting the file again runs them";
        var expected = (await fleet.AnsweredAsync(() => fleet.Queue.Batches.ProgressAsync(id), cancellationToken).ConfigureAwait(false)).Expected;
        return (batch.Submitted - expected, batch) switch
        {
            ( > 0 and var gone, _) => $"{RunConsole.Text(report.Open)} rows have no result: Redis has lost {RunConsole.Text(gone)} that were submitted; submitting the file again runs them",
            (_, { Submitted: > 0 } or { IsOfRun: true }) => $"{RunConsole.Text(report.Open)} rows were never on the queue: 'run' had their answers already",
            _ => $"{RunConsole.Text(report.Open)} rows have no result: they are neither on a queue nor ended; submitting the file again runs them",
        };
    }

    private static void Say(ResultsReport report, BatchInfo batch, bool waited, string withoutResult)
    {
        FleetCall.Say($"{RunConsole.Text(report.Rows)} rows: {RunConsole.Text(report.Completed)} completed, {RunConsole.Text(report.Failed)} failed");
        if (report.Expired > 0)
            FleetCall.Say($"{RunConsole.Text(report.Expired)} rows have ended, but their results are no longer kept; submitting the file again runs them again");
        if (report.Open > 0 && waited)
            FleetCall.Say(withoutResult);
        else if (report.Open > 0)
            FleetCall.Say($"{RunConsole.Text(report.Open)} rows have no result yet{(batch.Sealed ? "" : ", and perhaps not all were submitted")} (--wait waits for them)");
        if (report.Output is null)
            return;
        FleetCall.Say(report.Open > 0 ? $"so far in {report.Output}.partial; the same command again goes on from there" : $"answers: {report.Output}");
        if (report.Errors is not null)
            FleetCall.Say($"errors: {report.Errors} ({(batch.IsOfRun ? "'run --retry-failed' of the file" : $"llmpipe retry {batch.Id}")} runs these rows again)");
    }
}

/// <summary>What a fetch brought.</summary>
/// <param name="Batch">The batch.</param>
/// <param name="Rows">Rows that it has.</param>
/// <param name="Completed">Those with a completion.</param>
/// <param name="Failed">Those with an error.</param>
/// <param name="Expired">Those that ended and whose result is gone.</param>
/// <param name="Open">Those without a result yet.</param>
internal sealed record ResultsReport(string Batch, int Rows, int Completed, int Failed, int Expired, int Open)
{
    public string? Output { get; init; }

    public string? Errors { get; init; }
}
