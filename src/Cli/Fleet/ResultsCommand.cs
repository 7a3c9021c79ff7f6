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
        runs such rows again. For a table, 'llmpipe run INPUT --redis R -o x.csv' finds the answers that are there.

        Examples:
          llmpipe results b-0123456789abcdef0123456789abcdef --redis redis.internal:6379 > so-far.jsonl
          llmpipe results $batch --wait -o answers.jsonl
          llmpipe results $batch --wait | jq -r .response.body.choices[0].message.content

        Exit codes: 0 all rows completed, 1 unknown batch, or rows are still to come, 2 bad usage, 3 all rows have ended and
        some failed, 130 interrupted.
        """;

    private static readonly Argument<string> Batch = new("BATCH") { Description = "The batch's id." };
    private static readonly Option<string?> Output = new("--output", "-o") { Description = "Where the completions go: a .jsonl file.", HelpName = "OUTPUT" };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until all rows have ended. Ctrl+C ends the waiting, not the batch." };
    private static readonly Option<bool> Force = new("--force") { Description = "Replace an output that holds something else." };

    public static Command Create() => FleetCommand.Create("results", Help, [Batch, Output, Wait, Force], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var output = call.Line.GetValue(Output);
        var wait = call.Line.GetValue(Wait);
        if (output?.EndsWith(".csv", StringComparison.OrdinalIgnoreCase) == true)
            throw CliException.Usage($"-o {output}: results are JSON lines; 'llmpipe run INPUT --redis R -o {output}' makes a table of them and the input");
        var paths = output is null ? null : OutputPaths.For(null, output);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var batch = await fleet.BatchAsync(call.Line.GetRequiredValue(Batch), cancellationToken).ConfigureAwait(false);
        var reader = new BatchReader(fleet, batch);
        ResultsReport report;
        if (paths is null)
        {
            await using var lines = new ResultsStream(Console.OpenStandardOutput());
            report = await lines.WriteAsync(reader, wait ? await BatchNews.OpenAsync(fleet, batch, cancellationToken).ConfigureAwait(false) : null, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var file = new ResultsFile(paths, call.Line.GetValue(Force));
            report = await file.WriteAsync(reader, wait ? await BatchNews.OpenAsync(fleet, batch, cancellationToken).ConfigureAwait(false) : null, cancellationToken).ConfigureAwait(false);
            if (call.Json)
                Console.Out.WriteLine(FleetJson.Of(report));
        }

        Tell(report, batch, wait);
        return report.Open > 0 ? ExitCodes.Broke : report.Failed + report.Expired > 0 ? ExitCodes.FailedRows : ExitCodes.Done;
    }

    private static void Tell(ResultsReport report, BatchInfo batch, bool waited)
    {
        FleetCall.Say($"{RunConsole.Text(report.Rows)} rows: {RunConsole.Text(report.Completed)} completed, {RunConsole.Text(report.Failed)} failed");
        if (report.Expired > 0)
            FleetCall.Say($"{RunConsole.Text(report.Expired)} rows have ended, but their results are no longer kept; submitting the file again runs them again");
        if (report.Open > 0 && waited)
            FleetCall.Say($"{RunConsole.Text(report.Open)} rows were never on the queue: 'run' had their answers already");
        else if (report.Open > 0)
            FleetCall.Say($"{RunConsole.Text(report.Open)} rows have no result yet{(batch.Sealed ? "" : ", and perhaps not all were submitted")} (--wait waits for them)");
        if (report.Output is null)
            return;
        FleetCall.Say(report.Open > 0 ? $"so far in {report.Output}.partial; the same command again goes on from there" : $"answers: {report.Output}");
        if (report.Errors is not null)
            FleetCall.Say($"errors: {report.Errors} (llmpipe retry {batch.Id} runs these rows again)");
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
