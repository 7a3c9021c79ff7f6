using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe status [BATCH]</c>.</summary>
internal static class StatusCommand
{
    private const string Help =
        """
        Show how far a batch is, or without BATCH the queues and the newest batches.

        With --watch it goes on: on a terminal the view is drawn anew, elsewhere it is printed again when it has changed. With a
        BATCH it ends when the batch has ended. With --json each view is one line of JSON.

        Examples:
          llmpipe status --redis redis.internal:6379
          llmpipe status b-0123456789abcdef0123456789abcdef --watch
          llmpipe status $batch --json | jq .left

        Exit codes: 0 (also after Ctrl+C), 1 unknown batch, a queue of another version, or no Redis, 2 bad usage.
        """;

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly Argument<string?> Batch = new("BATCH") { Description = "The batch's id.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Watch = new("--watch") { Description = "Go on until the batch has ended, or until Ctrl+C." };

    public static Command Create() => FleetCommand.Create("status", Help, [Batch, Watch], ExecuteAsync, interrupted: ExitCodes.Done);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var view = new StatusView(call.Json);
        while (true)
        {
            if (call.Line.GetValue(Batch) is { } id)
            {
                if (view.Show(await BatchStatus.ReadAsync(fleet, id, cancellationToken).ConfigureAwait(false)) || !call.Line.GetValue(Watch))
                    return ExitCodes.Done;
            }
            else
            {
                var status = await FleetStatus.ReadAsync(fleet, cancellationToken).ConfigureAwait(false);
                view.Show(status);
                if (!call.Line.GetValue(Watch))
                    return QueueStatus.Complain(status.Queues);
            }

            await Task.Delay(Every, fleet.Time, cancellationToken).ConfigureAwait(false);
        }
    }
}
