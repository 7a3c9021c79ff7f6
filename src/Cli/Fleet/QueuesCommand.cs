using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe queues list|pause|resume</c>.</summary>
internal static class QueuesCommand
{
    private const string Help =
        """
        List, pause and resume queues. A queue holds the jobs of one model and is called as it.

        Examples:
          llmpipe queues list --redis redis.internal:6379
          llmpipe queues pause gpt-4o-mini
          llmpipe queues resume gpt-4o-mini
        """;

    private static readonly Argument<string> Queue = new("QUEUE") { Description = "The queue: the model's name." };

    public static Command Create() => FleetCommand.Group(
        "queues",
        Help,
        FleetCommand.Create("list", "List the queues, and where their jobs are.\n\nExample:\n  llmpipe queues list --json | jq .[].waiting", [], ListAsync),
        FleetCommand.Create(
            "pause",
            "Stop taking jobs from a queue. What runs goes on to its end, and new jobs are accepted.\n\nExample:\n  llmpipe queues pause gpt-4o-mini",
            [Queue],
            (call, token) => SetAsync(call, paused: true, token)),
        FleetCommand.Create(
            "resume",
            "Take jobs from a paused queue again.\n\nExample:\n  llmpipe queues resume gpt-4o-mini",
            [Queue],
            (call, token) => SetAsync(call, paused: false, token)));

    private static async Task<int> ListAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var queues = new List<QueueStatus>();
        foreach (var name in await fleet.QueuesAsync(null, cancellationToken).ConfigureAwait(false))
            queues.Add(await QueueStatus.LookAsync(fleet, name, cancellationToken).ConfigureAwait(false));
        if (call.Json)
            Console.Out.WriteLine(FleetJson.Of(queues));
        else if (queues.Count == 0)
            FleetCall.Say($"there are no queues on Redis at {fleet.Name}");
        else
            QueueStatus.Print(queues);
        return QueueStatus.Complain(queues);
    }

    private static async Task<int> SetAsync(FleetCall call, bool paused, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var queue = (await fleet.QueuesAsync(call.Line.GetRequiredValue(Queue), cancellationToken).ConfigureAwait(false))[0];
        await fleet.AnsweredAsync(() => paused ? fleet.Queue.PauseAsync(queue) : fleet.Queue.ResumeAsync(queue), cancellationToken).ConfigureAwait(false);
        var now = await QueueStatus.ReadAsync(fleet, queue, cancellationToken).ConfigureAwait(false);
        call.Report(now, paused
            ? $"queue {queue} is paused; {QueueStatus.Text(now.Waiting + now.Delayed)} jobs wait, {QueueStatus.Text(now.Running)} run to their end"
            : $"queue {queue} is open; {QueueStatus.Text(now.Waiting + now.Delayed)} jobs wait");
        return ExitCodes.Done;
    }
}
