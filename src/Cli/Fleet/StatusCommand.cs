using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe status [BATCH]</c>.</summary>
internal static class StatusCommand
{
    private const string Help =
        """
        Show how far a batch is, or without BATCH the queues and the newest batches.

        The rate is measured by this command: it looks twice, a second apart (--over), when a batch has rows left. Where no row
        ended meanwhile, the rate is 0 and the time left is not known. With --watch it is the rate of the last 30 s.

        With --watch it goes on: on a terminal the view is drawn anew, as wide and high as the terminal, and elsewhere it is
        printed again when it has changed. With a BATCH it ends when the batch has ended. With --json each view is one line of
        JSON.

        Examples:
          llmpipe status --redis redis.internal:6379
          llmpipe status b-0123456789abcdef0123456789abcdef --watch
          llmpipe status $batch --json | jq .left
          llmpipe status $batch --json --over 30 | jq .seconds_left

        Exit codes: 0 (also after Ctrl+C), 1 unknown batch, a queue of another version, or no Redis, 2 bad usage.
        """;

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WatchedOver = TimeSpan.FromSeconds(30);
    private static readonly Argument<string?> Batch = new("BATCH") { Description = "The batch's id or name.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Watch = new("--watch") { Description = "Go on until the batch has ended, or until Ctrl+C." };
    private static readonly Option<double?> Over = RunCommand.Seconds("--over", "Measure the rate over so many seconds. Default: 1, with --watch 30.", 3600);

    public static Command Create() => FleetCommand.Create("status", Help, [Batch, Watch, Over], ExecuteAsync, interrupted: ExitCodes.Done);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var watch = call.Line.GetValue(Watch);
        var over = call.Line.GetValue(Over) is { } seconds ? TimeSpan.FromSeconds(seconds) : watch ? WatchedOver : Every;
        var rates = new BatchRates(fleet.Time, over);
        var view = new StatusView(call.Json, watch);
        // Watching shows what it has, and measures from then on; else the first look is only measured by.
        var pause = watch ? Every : over;
        return call.Line.GetValue(Batch) is { } id
            ? await ShowAsync(fleet, id, rates, view, pause, cancellationToken).ConfigureAwait(false)
            : await ShowAsync(fleet, rates, view, pause, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<int> ShowAsync(Fleet fleet, string id, BatchRates rates, StatusView view, TimeSpan pause, CancellationToken cancellationToken)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            var status = rates.Measure(await BatchStatus.ReadAsync(fleet, id, cancellationToken).ConfigureAwait(false));
            if (view.IsWatched || !isFirst || status.HasEnded)
                view.Show(status);
            if (status.HasEnded || !(view.IsWatched || isFirst))
                return ExitCodes.Done;
            await Task.Delay(pause, fleet.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<int> ShowAsync(Fleet fleet, BatchRates rates, StatusView view, TimeSpan pause, CancellationToken cancellationToken)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            var status = rates.Measure(await FleetStatus.ReadAsync(fleet, cancellationToken).ConfigureAwait(false));
            var isLast = !view.IsWatched && (!isFirst || status.Batches.All(batch => batch.HasEnded));
            if (view.IsWatched || isLast)
                view.Show(status);
            if (isLast)
                return QueueStatus.Complain(status.Queues);
            await Task.Delay(pause, fleet.Time, cancellationToken).ConfigureAwait(false);
        }
    }
}
