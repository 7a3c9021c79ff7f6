using System.Buffers;
using System.CommandLine;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary><c>llmpipe result JOB</c>.</summary>
internal static class ResultCommand
{
    private const string Help =
        """
        Fetch the result of one job: the answer's text, or with --json the whole line of output and, as meta, what is
        known of the call: model, deployment, tokens, cost, attempts.

        JOB is a job's id; those of a batch are BATCH.1, BATCH.2 and so on, in the order of the rows.

        Examples:
          llmpipe result BATCH.7 --redis redis.internal:6379
          llmpipe result $batch.1 --wait --json | jq .response.body.usage

        Exit codes: 0 completed, 1 there is no result: not yet, no longer, or there is no such job; 2 bad usage, 3 the job
        failed, 130 interrupted.
        """;

    private static readonly Argument<string> JobId = new("JOB") { Description = "The job's id." };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until the job has ended. Ctrl+C ends the waiting, not the job." };

    public static Command Create() => FleetCommand.Create("result", Help, [JobId, Wait], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var id = call.Line.GetRequiredValue(JobId);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        // Where it is comes first: a job that ends in between has its result by the time that is looked for.
        var place = await fleet.FindJobAsync(id, cancellationToken).ConfigureAwait(false);
        var result = await fleet.AnsweredAsync(() => fleet.Results.GetAsync(id), cancellationToken).ConfigureAwait(false);
        if (result is null)
        {
            var (isOpen, why) = await WhyAsync(fleet, id, place, cancellationToken).ConfigureAwait(false);
            if (!isOpen || !call.Line.GetValue(Wait))
                throw CliException.Broke(why);
            result = await fleet.Results.WaitAsync(id, cancellationToken).ConfigureAwait(false);
        }

        return Write(result, call.Json);
    }

    private static int Write(JobResult result, bool json)
    {
        var line = new ArrayBufferWriter<byte>();
        BatchLine.Of(result).WriteTo(line);
        var isCompleted = result.Status == ResultStatus.Completed;
        if (json)
        {
            // The line, and beside it what is known of the call: its bytes stay as they are.
            Console.Out.WriteLine($"{Encoding.UTF8.GetString(line.WrittenSpan).TrimEnd()[..^1]},\"meta\":{FleetJson.Of(new ResultFacts(result.Meta))}}}");
        }
        else
        {
            using var parsed = JsonDocument.Parse(line.WrittenMemory, new JsonDocumentOptions { MaxDepth = int.MaxValue });
            var text = CsvAnswerText.Of(parsed.RootElement);
            if (isCompleted)
                // A file gets the answer as it came; a terminal would obey its control characters.
                Console.Out.WriteLine(Console.IsOutputRedirected ? text : SafeText.Printable(text, keepLineFeeds: true));
            else
                FleetCall.Say($"llmpipe: job {result.JobId} has {(result.Status == ResultStatus.Cancelled ? "been cancelled" : result.Status.ToString().ToLowerInvariant())}: {SafeText.Line(text, ResultError.MaxMessage)}");
        }

        return isCompleted ? ExitCodes.Done : ExitCodes.FailedRows;
    }

    /// <summary>Why there is no result: not yet (true), no longer, or there never was such a job.</summary>
    private static async Task<(bool IsOpen, string Why)> WhyAsync(Fleet fleet, string id, JobPlace? place, CancellationToken cancellationToken)
    {
        if (place is { State: not JobState.Dead })
            return (true, $"job {id} has no result yet: it is {place.State.ToString().ToLowerInvariant()} in queue {place.Queue} (--wait waits for it)");
        if (place is not null)
            return (false, $"job {id} failed, but its result is no longer kept (llmpipe dead redrive {id} runs it again)");
        if (await fleet.BatchOfJobAsync(id, cancellationToken).ConfigureAwait(false) is { } row)
        {
            return await fleet.Reader(row.Batch).HasEndedAsync(row.Row, cancellationToken).ConfigureAwait(false)
                ? (false, $"job {id} has ended, but its result is no longer kept; submitting the file again runs it again")
                : (true, $"job {id} has no result yet: batch {row.Batch.Id} has this row, but it is not on its queue yet (--wait waits for it)");
        }

        return (false, $"there is no job {id} on Redis at {fleet.Name}: it never existed, or its result is no longer kept");
    }
}
