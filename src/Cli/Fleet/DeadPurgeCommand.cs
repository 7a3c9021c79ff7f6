using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe dead purge</c>.</summary>
internal static class DeadPurgeCommand
{
    private const string Help =
        """
        Drop dead letters for good: the named jobs, those older than so many days, or all. Their error results and the counts of
        their batches stay; they can only run again by submitting their file with --retry-failed.

        Examples:
          llmpipe dead purge b-0123456789abcdef0123456789abcdef.7
          llmpipe dead purge --older-than 7
          llmpipe dead purge --all --queue gpt-4o-mini

        Exit codes: 0 done, 1 a named job is no dead letter, 2 bad usage.
        """;

    private static readonly Argument<string[]> Jobs = new("JOB") { Description = "Ids of jobs.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<bool> All = new("--all") { Description = "All." };
    private static readonly Option<double?> OlderThan = Days();
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only of this queue.", HelpName = "Q" };

    public static Command Create() => FleetCommand.Create("purge", Help, [Jobs, OlderThan, All, Queue], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var ids = (call.Line.GetValue(Jobs) ?? []).Distinct().ToList();
        TimeSpan? olderThan = call.Line.GetValue(OlderThan) is { } days ? TimeSpan.FromDays(days) : null;
        var isWhole = call.Line.GetValue(All) || olderThan is not null;
        if (isWhole == ids.Count > 0)
            throw CliException.Usage(isWhole ? "dead purge: name jobs, or say --all or --older-than, not both" : "dead purge: name jobs, or say --all or --older-than DAYS");
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var queues = await fleet.QueuesAsync(call.Line.GetValue(Queue), cancellationToken).ConfigureAwait(false);
        var purged = 0L;
        var missing = new List<string>();
        foreach (var id in ids)
        {
            var place = await fleet.FindJobAsync(id, cancellationToken).ConfigureAwait(false);
            if (place is { State: JobState.Dead } && queues.Contains(place.Queue))
                purged += await fleet.Queue.PurgeDeadAsync(place.Queue, [id], null).ConfigureAwait(false);
            else
                missing.Add(id);
        }

        foreach (var queue in isWhole ? queues : [])
            purged += await fleet.Queue.PurgeDeadAsync(queue, null, olderThan).ConfigureAwait(false);
        call.Report(new { Purged = purged, NotDead = missing }, $"{RunConsole.Text(purged)} dead letters were dropped");
        foreach (var id in missing)
            FleetCall.Say($"llmpipe: job {id} is no dead letter");
        return missing.Count > 0 ? ExitCodes.Broke : ExitCodes.Done;
    }

    private static Option<double?> Days()
    {
        var option = new Option<double?>("--older-than") { Description = "Those that have been dead for so many days; fractions are fine.", HelpName = "DAYS" };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.Tokens.Count == 0)
                return;
            if (!double.TryParse(result.Tokens[0].Value, System.Globalization.CultureInfo.InvariantCulture, out var days) || !(days is >= 0 and <= 36500))
                result.AddError($"--older-than {result.Tokens[0].Value}: a number of days from 0 to 36500 is needed");
        });
        return option;
    }
}
