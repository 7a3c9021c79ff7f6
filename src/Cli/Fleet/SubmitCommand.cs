using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe submit INPUT</c>.</summary>
internal static class SubmitCommand
{
    private const string Help =
        """
        Put every row of a file on the queue of a fleet, and print the batch's id.

        INPUT is of any kind that 'run' takes, and is checked as a whole first. The rows wait on the Redis until workers
        (llmpipe work) take them; a prompt function travels with them. The id alone goes to standard output.

        The batch is named by the content of the file and by all that shapes the answers, but not by an endpoint: the workers
        have these. So the same command again, also
        after a kill in the middle, is the same batch: rows that are there or have ended are left alone, missing ones are added.

        With --name the batch can be called by that name wherever its id is asked for. Submitting the same file again with
        another name renames it.

        Examples:
          llmpipe submit questions.jsonl --redis redis.internal:6379
          batch=$(llmpipe submit rows.jsonl --prompt solve-math --lane low)
          llmpipe results $batch --wait -o answers.jsonl
          llmpipe submit notes.txt --system "Answer briefly." --deadline 3600
          llmpipe submit monday.csv --name "monday reviews"
          llmpipe status "monday reviews"

        Exit codes: 0 all rows are on the queue, 1 broke (the same command again goes on), 2 bad usage or input (nothing was
        enqueued), 130 interrupted.
        """;

    private static readonly InputArguments Inputs = new();
    private static readonly Option<string?> Name = BatchNames.Option();
    private static readonly Option<Lane> LaneName = Lanes();
    private static readonly Option<double?> Deadline = RunCommand.Seconds("--deadline", "A row that has no answer so many seconds from now ends as expired. Default: never.", 365 * 86400);
    private static readonly Option<int?> MaxAttempts = RunCommand.Number("--max-attempts", "How often a row is tried at most. Default: 8.", "N", 1, 1000);
    private static readonly Option<double?> AttemptTimeout = RunCommand.Seconds("--attempt-timeout", "How long one call may take, in seconds. Default: the worker's own limit.", 86400);
    private static readonly Option<bool> RetryFailed = new("--retry-failed") { Description = "Also run the rows again that failed, expired or were cancelled, or whose answers are a simulator's." };
    private static readonly Option<bool> Again = new("--again") { Description = "Run everything again as a new batch, although answers of this file are there." };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait while Redis has no memory left (maxmemory). Default: end with 1." };
    private static readonly Option<int?> Partitions = RunCommand.Number("--partitions", "Partitions of a queue that this command creates; fixed from then on. Default: 1, or 16 on a Redis Cluster.", "P", 1, 1024);

    public static Command Create() => FleetCommand.Create(
        "submit", Help, [.. Inputs.Symbols, Name, LaneName, Deadline, MaxAttempts, AttemptTimeout, RetryFailed, Again, Partitions, Wait], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        var line = call.Line;
        var options = Inputs.Read(line) with
        {
            Name = line.GetValue(Name),
            Lane = line.GetValue(LaneName),
            Deadline = line.GetValue(Deadline) is { } deadline ? TimeProvider.System.GetUtcNow().AddSeconds(deadline) : null,
            MaxAttempts = line.GetValue(MaxAttempts),
            AttemptTimeout = line.GetValue(AttemptTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            RetryFailed = line.GetValue(RetryFailed),
            Again = line.GetValue(Again),
        };
        // Before Redis: what is wrong with the input is said whether Redis answers or not.
        if (options.Inputs.Contains(StandardInput.Name))
            throw CliException.Usage("submit does not read standard input: it could not be continued; write it to a file first");
        var plan = await RunPlan.MakeAsync(options, call.Settings, forFleet: true, cancellationToken).ConfigureAwait(false);
        foreach (var note in plan.Notes())
            FleetCall.Say(note);
        var patience = line.GetValue(Wait) ? RedisPatience.UntilAnswered : RedisPatience.UntilAnsweredOrFull;
        await using var fleet = await call.OpenAsync(cancellationToken, line.GetValue(Partitions), patience).ConfigureAwait(false);
        var submitter = await Submitter.FindAsync(plan, fleet, cancellationToken).ConfigureAwait(false);
        try
        {
            var report = await submitter.RunAsync(WhenFull.Throw, _ => true, cancellationToken).ConfigureAwait(false);
            FleetCall.Say($"{plan.Input.Path}: {RunConsole.Text(report.Rows)} rows on Redis at {fleet.Name}: {RunConsole.Text(report.Enqueued)} enqueued, {RunConsole.Text(report.AlreadyThere)} were there, {RunConsole.Text(report.Ended)} had ended");
            if (report.Cancelled)
                FleetCall.Say("the batch was cancelled: its rows end without a call (--retry-failed runs them again)");
            if (report.Simulated)
                FleetCall.Say("results of this batch are a simulator's ('llmpipe simulate'); --retry-failed runs these rows again");
            Console.Out.WriteLine(call.Json ? FleetJson.Of(report) : report.Batch);
            return ExitCodes.Done;
        }
        catch (StackExchange.Redis.RedisServerException e) when (RedisRetry.IsFull(e))
        {
            throw CliException.Broke($"Redis at {fleet.Name} has no memory left (maxmemory); some rows of batch {submitter.Batch} may be on the queue. The same command again adds the rest, with --wait as there is room");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            FleetCall.Say($"llmpipe: interrupted, some rows of batch {submitter.Batch} are on the queue; {(options.Again ? $"llmpipe cancel {submitter.Batch} stops them" : "the same command again adds the rest")}");
            return ExitCodes.Interrupted;
        }
    }

    private static Option<Lane> Lanes() => new("--lane")
    {
        Description = "How soon the rows are taken beside others: high, normal or low. Low ones still get their share. Default: normal.",
        HelpName = "LANE",
        DefaultValueFactory = _ => Lane.Normal,
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            if (!char.IsAsciiLetter(typed.FirstOrDefault()) || !Enum.TryParse<Lane>(typed, ignoreCase: true, out var lane))
            {
                result.AddError($"--lane {typed}: high, normal or low is needed");
                return Lane.Normal;
            }

            return lane;
        },
    };
}
