using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe cancel BATCH|JOB</c>.</summary>
internal static class CancelCommand
{
    private const string Help =
        """
        Stop a batch, or one job.

        Rows that wait end as cancelled without a call, running calls are stopped, and a completion that is already paid is
        kept. The workers do this, at once, also of a paused queue and while the quota admits no calls; as long as none runs, the
        rows stay as they are. What was cancelled runs again with 'submit --retry-failed' of the same file.

        Examples:
          llmpipe cancel BATCH --redis redis.internal:6379
          llmpipe cancel $batch.17

        Exit codes: 0 asked for, or it had ended already; 1 there is no such batch or job; 2 bad usage.
        """;

    private static readonly Argument<string> Id = new("BATCH|JOB") { Description = "The id or the name of a batch, or the id of a job." };

    public static Command Create() => FleetCommand.Create("cancel", Help, [Id], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var id = call.Line.GetRequiredValue(Id);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (await BatchNames.FindAsync(fleet, id, cancellationToken).ConfigureAwait(false) is { } batch)
        {
            id = batch.Id;
            // Before and after: workers may end its rows faster than the next look.
            var before = await BatchStatus.ReadAsync(fleet, batch, cancellationToken).ConfigureAwait(false);
            await fleet.Queue.Batches.CancelAsync(id).ConfigureAwait(false);
            var status = await BatchStatus.ReadAsync(fleet, batch with { Cancelled = true }, cancellationToken).ConfigureAwait(false);
            call.Report(status, before.HasEnded
                ? $"batch {id} had ended already"
                : $"batch {id}: {RunConsole.Text(before.Left)} rows are asked to stop; {RunConsole.Text(status.Completed)} are completed and stay");
            return ExitCodes.Done;
        }

        var place = await fleet.FindJobAsync(id, cancellationToken).ConfigureAwait(false);
        var asked = place is { State: not JobState.Dead } && (await fleet.Queue.CancelAsync(place.Queue, [id]).ConfigureAwait(false))[0];
        if (!asked && place is null && await fleet.AnsweredAsync(() => fleet.Results.GetAsync(id), cancellationToken).ConfigureAwait(false) is null)
            throw CliException.Broke($"there is no batch or job {id} on Redis at {fleet.Name}");
        call.Report(new { Job = id, Asked = asked }, asked ? $"job {id} is asked to stop" : $"job {id} had ended already");
        return ExitCodes.Done;
    }
}
