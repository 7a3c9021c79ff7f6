using System.CommandLine;
using System.Globalization;

namespace LlmPipeline;

/// <summary><c>llmpipe workers</c>.</summary>
internal static class WorkersCommand
{
    private const string Help =
        """
        List the workers of a Redis: name, host, version, models, calls at the same time, running jobs, and when each was last seen.

        A worker announces itself every 10 s, and more often while it runs jobs. One that was not seen for 30 s is not listed;
        a worker that was stopped leaves the list at once. Host, version and calls are unknown for workers of earlier versions;
        those of version 0.1 are listed while they run jobs.

        Examples:
          llmpipe workers --redis redis.internal:6379
          llmpipe workers --json | jq 'map(.running) | add'

        Exit codes: 0 (also where there are no workers), 1 no Redis, 2 bad usage.
        """;

    public static Command Create() => FleetCommand.Create("workers", Help, [], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var workers = await fleet.AnsweredAsync(fleet.Queue.Workers.ListAsync, cancellationToken).ConfigureAwait(false);
        if (call.Json)
            Console.Out.WriteLine(FleetJson.Of(workers));
        else if (workers.Count == 0)
            FleetCall.Say($"no workers serve Redis at {fleet.Name}");
        else
            Table(workers).Print("VERSION", "LAST SEEN", "HOST");
        return ExitCodes.Done;
    }

    private static FleetTable Table(IReadOnlyList<WorkerInfo> workers)
    {
        var table = new FleetTable("WORKER", "HOST", "VERSION", "CALLS", "RUNNING", "LAST SEEN", "MODELS");
        foreach (var one in workers)
        {
            table.Add(
                one.Worker, one.Host ?? "?", one.Version ?? "?", one.Concurrency is { } calls ? RunConsole.Text(calls) : "?", RunConsole.Text(one.Running),
                one.LastSeen.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture), one.Models is { } models ? string.Join(", ", models) : "?");
        }

        return table;
    }
}
