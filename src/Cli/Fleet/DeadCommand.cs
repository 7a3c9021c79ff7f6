using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe dead list|show|redrive|purge</c>.</summary>
internal static class DeadCommand
{
    private const string Help =
        """
        Look at dead letters, run them again, drop them. A dead letter is a job that ended with an error: its error is its result,
        and the job is kept so that it can run again (30 days, 100,000 a queue).

        Examples:
          llmpipe dead list --redis redis.internal:6379
          llmpipe dead show b-0123456789abcdef0123456789abcdef.7
          llmpipe dead redrive --all --queue gpt-4o-mini
          llmpipe dead purge --older-than 7
        """;

    private const string ListHelp =
        """
        List dead letters with their last error, the oldest first.

        Examples:
          llmpipe dead list --queue gpt-4o-mini --limit 20
          llmpipe dead list --json --limit 100000 \
            | jq -r 'select(.error_code=="http_400").job'
        """;

    private const string ShowHelp =
        """
        Show a dead letter: what it was, and its last error; with --content also the prompt as it was submitted, and what the
        provider answered.

        Examples:
          llmpipe dead show b-0123456789abcdef0123456789abcdef.7
          llmpipe dead show $job --content --json | jq .body
        """;

    private static readonly Argument<string> Job = new("JOB") { Description = "The job's id." };
    private static readonly Option<bool> Content = new("--content") { Description = "Also the prompt, and the provider's answer." };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only this queue.", HelpName = "Q" };
    private static readonly Option<int?> Limit = RunCommand.Number("--limit", "How many at most. Default: 100.", "N", 1, int.MaxValue);

    public static Command Create() => FleetCommand.Group(
        "dead", Help,
        FleetCommand.Create("list", ListHelp, [Queue, Limit], ListAsync),
        FleetCommand.Create("show", ShowHelp, [Job, Content], ShowAsync),
        DeadRedriveCommand.Create(),
        DeadPurgeCommand.Create());

    private static async Task<int> ListAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var most = call.Line.GetValue(Limit) ?? 100;
        var letters = new DeadPages(fleet, await fleet.QueuesAsync(call.Line.GetValue(Queue), cancellationToken).ConfigureAwait(false));
        var table = new FleetTable("JOB", "QUEUE", "BURIED", "TRIES", "ERROR");
        var count = 0;
        await foreach (var letter in letters.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (++count > most)
                break;
            if (call.Json)
                Console.Out.WriteLine(FleetJson.Of(letter));
            else
                table.Add(letter.ToCells());
        }

        if (count == 0)
            FleetCall.Say("there are no dead letters");
        else if (!call.Json)
            table.Print("TRIES", "BURIED", "QUEUE");
        if (count > most)
            FleetCall.Say($"and more; --limit N shows more than {most}");
        return ExitCodes.Done;
    }

    private static async Task<int> ShowAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var id = call.Line.GetRequiredValue(Job);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var place = await fleet.FindJobAsync(id, cancellationToken).ConfigureAwait(false);
        if (place is not { State: JobState.Dead })
            throw CliException.Broke(place is null ? $"there is no dead letter {id} on Redis at {fleet.Name}" : $"job {id} is no dead letter: it is {place.State.ToString().ToLowerInvariant()}");
        var result = await fleet.AnsweredAsync(() => fleet.Results.GetAsync(id), cancellationToken).ConfigureAwait(false);
        var shown = DeadContent.Of(place, result, call.Line.GetValue(Content));
        Console.Out.Write(call.Json ? FleetJson.Of(shown) + "\n" : shown.ToText());
        return ExitCodes.Done;
    }
}
