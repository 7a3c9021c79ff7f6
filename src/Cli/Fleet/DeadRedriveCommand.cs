using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe dead redrive</c>.</summary>
internal static class DeadRedriveCommand
{
    private const string Help =
        """
        Run dead letters again, with fresh attempts: the named jobs, or all. Their error results go, so that waiting works.

        Examples:
          llmpipe dead redrive b-0123456789abcdef0123456789abcdef.7
          llmpipe dead redrive --all --queue gpt-4o-mini

        Exit codes: 0 they wait again, 1 a named job is no dead letter, 2 bad usage.
        """;

    private static readonly Argument<string[]> Jobs = new("JOB") { Description = "Ids of jobs.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<bool> All = new("--all") { Description = "All that are dead now." };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only of this queue.", HelpName = "Q" };

    public static Command Create() => FleetCommand.Create("redrive", Help, [Jobs, All, Queue], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var ids = (call.Line.GetValue(Jobs) ?? []).Distinct().ToList();
        var all = call.Line.GetValue(All);
        if (all == ids.Count > 0)
            throw CliException.Usage(all ? "dead redrive: name jobs or say --all, not both" : "dead redrive: name jobs, or say --all");
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var queues = await fleet.QueuesAsync(call.Line.GetValue(Queue), cancellationToken).ConfigureAwait(false);
        var redriver = new Redriver(fleet);
        var missing = new List<string>();
        var redriven = 0L;
        foreach (var id in ids)
        {
            var place = await fleet.FindJobAsync(id, cancellationToken).ConfigureAwait(false);
            if (place is { State: JobState.Dead } && queues.Contains(place.Queue))
                redriven += await PageAsync(fleet, redriver, place.Queue, [id], cancellationToken).ConfigureAwait(false);
            else
                missing.Add(id);
        }

        var pages = new DeadPages(fleet, queues);
        foreach (var queue in all ? queues : [])
            redriven += await pages.TakeAsync(queue, page => PageAsync(fleet, redriver, queue, page, cancellationToken), cancellationToken).ConfigureAwait(false);
        call.Report(new { Redriven = redriven, NotDead = missing }, $"{RunConsole.Text(redriven)} dead letters wait again");
        foreach (var id in missing)
            FleetCall.Say($"llmpipe: job {id} is no dead letter");
        return missing.Count > 0 ? ExitCodes.Broke : ExitCodes.Done;
    }

    private static async Task<long> PageAsync(Fleet fleet, Redriver redriver, string queue, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var answers = await redriver.RunAsync(
            ids,
            async wanted =>
            {
                var count = await fleet.Queue.RedriveDeadAsync(queue, wanted).ConfigureAwait(false);
                return [.. wanted.Select(_ => count == wanted.Count)];
            },
            cancellationToken).ConfigureAwait(false);
        return answers.Count(waits => waits);
    }
}
