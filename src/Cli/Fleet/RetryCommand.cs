using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe retry BATCH</c>.</summary>
internal static class RetryCommand
{
    private const string Help =
        """
        Run the failed rows of a batch again, with fresh attempts. Completed rows stay as they are.

        A failed row whose dead letter was purged, or that was past its deadline, cannot run again from here: 'submit
        --retry-failed' of the same file does that.

        Examples:
          llmpipe retry BATCH --redis redis.internal:6379
          llmpipe retry $batch && llmpipe results $batch --wait -o answers.jsonl

        Exit codes: 0 all failed rows wait again, or none had failed; 1 unknown batch, or some cannot run again; 2 bad usage.
        """;

    private const int RowsPerCall = 500;
    private static readonly Argument<string> Batch = new("BATCH") { Description = "The batch's id or name." };

    public static Command Create() => FleetCommand.Create("retry", Help, [Batch], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var batch = await fleet.BatchAsync(call.Line.GetRequiredValue(Batch), cancellationToken).ConfigureAwait(false);
        if (batch.IsOfRun)
            throw CliException.Usage($"batch {batch.Id} is a run's: 'run --redis R --retry-failed' of the same file runs its failed rows again");
        var failed = await fleet.AnsweredAsync(() => fleet.Queue.Batches.FailedAsync(batch.Id), cancellationToken).ConfigureAwait(false);
        var redriver = new Redriver(fleet);
        var again = 0;
        foreach (var part in failed.Chunk(RowsPerCall))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var answers = await redriver.RunAsync([.. part.Select(row => row.Id)], ids => RedriveAsync(fleet, batch, ids), cancellationToken).ConfigureAwait(false);
            again += answers.Count(waits => waits);
        }

        var lost = failed.Count - again;
        call.Report(
            new { Batch = batch.Id, Failed = failed.Count, Retried = again, NotRetried = lost },
            failed.Count == 0 ? $"batch {batch.Id} has no failed rows" : $"batch {batch.Id}: {RunConsole.Text(again)} of {RunConsole.Text(failed.Count)} failed rows wait again");
        if (lost > 0)
            FleetCall.Say($"{RunConsole.Text(lost)} rows are no dead letters (any more); 'submit --retry-failed' of the same file runs them again");
        return lost > 0 ? ExitCodes.Broke : ExitCodes.Done;
    }

    /// <summary>A row's queue is not in its id, so those that one queue does not know are looked for in the next.</summary>
    private static async Task<IReadOnlyList<bool>> RedriveAsync(Fleet fleet, BatchInfo batch, IReadOnlyList<string> ids)
    {
        var answers = new bool[ids.Count];
        foreach (var queue in batch.Queues)
        {
            var left = Enumerable.Range(0, ids.Count).Where(n => !answers[n]).ToList();
            if (left.Count == 0)
                break;
            var redriven = await fleet.Queue.Batches.RedriveAsync(queue, batch.Id, [.. left.Select(n => (ids[n], RowId.RowOf(batch.Id, ids[n])))]).ConfigureAwait(false);
            for (var n = 0; n < left.Count; n++)
                answers[left[n]] = redriven[n];
        }

        return answers;
    }
}
