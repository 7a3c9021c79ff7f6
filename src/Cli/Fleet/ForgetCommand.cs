using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe forget</c>.</summary>
internal static class ForgetCommand
{
    private const string StillHeld =
        "Redis removes it from its memory now. The append-only file holds it until it is rewritten (BGREWRITEAOF), a snapshot until the "
        + "next one (BGSAVE), and copies and backups of these files until they are removed";

    private const string Help =
        """
        Remove what a batch or a job has left on Redis before its time is over: results, dead letters with their prompts, counts.
        The batch or the job must have ended ('cancel' ends it). Files that were written, and the gateway's files, stay.

        Redis' append-only file, its snapshots, and copies and backups of these hold the content for longer.

        Examples:
          llmpipe forget BATCH --redis redis.internal:6379
          llmpipe forget j-0198c5d2a7b07d0f8f5e7d0c3c1b2a19

        Exit codes: 0 forgotten; 1 there is no such batch or job, or it has not ended; 2 bad usage.
        """;

    private static readonly Argument<string> Id = new("BATCH|JOB") { Description = "The id or the name of a batch, or the id of a job." };

    public static Command Create() => FleetCommand.Create("forget", Help, [Id], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var id = call.Line.GetRequiredValue(Id);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var forgetter = new BatchForgetter(fleet.Queue, fleet.Results);
        if (await BatchNames.FindAsync(fleet, id, cancellationToken).ConfigureAwait(false) is { } batch)
        {
            id = batch.Id;
            if (!await forgetter.ForgetAsync(batch, cancellationToken).ConfigureAwait(false))
                throw CliException.Broke($"batch {id} has rows that have not ended: 'llmpipe cancel {id}' ends them");
            call.Report(new { Batch = id, Forgotten = true, StillHeld }, $"batch {id} is forgotten. {StillHeld}");
            return ExitCodes.Done;
        }

        var place = await fleet.FindJobAsync(id, cancellationToken).ConfigureAwait(false);
        if (place is null && await fleet.AnsweredAsync(() => fleet.Results.GetAsync(id), cancellationToken).ConfigureAwait(false) is null)
            throw CliException.Broke($"there is no batch or job {id} on Redis at {fleet.Name}");
        if (!await forgetter.ForgetAsync(id, place is null ? [] : [place.Queue]).ConfigureAwait(false))
            throw CliException.Broke($"job {id} has not ended: 'llmpipe cancel {id}' ends it");
        call.Report(new { Job = id, Forgotten = true, StillHeld }, $"job {id} is forgotten. {StillHeld}");
        return ExitCodes.Done;
    }
}
