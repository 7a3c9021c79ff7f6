using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>Where the jobs of a queue are; of a queue that this program cannot read only its name and <see cref="Problem"/>.</summary>
internal sealed record QueueStatus(string Queue, long? Waiting, long? Delayed, long? Running, long? Dead, bool? Paused, int? Partitions)
{
    // The least important first.
    private static readonly string[] LeaveOut = ["PARTITIONS", "DELAYED", "STATE"];

    /// <summary>Why it cannot be read: it is of another schema version, or has other partitions than the settings say. Absent when it can.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Problem { get; init; }

    /// <exception cref="QueueMismatchException">This program cannot read it.</exception>
    public static async Task<QueueStatus> ReadAsync(Fleet fleet, string queue, CancellationToken cancellationToken)
    {
        var stats = await fleet.AnsweredAsync(() => fleet.Queue.StatsAsync(queue), cancellationToken).ConfigureAwait(false);
        var partitions = await fleet.AnsweredAsync(() => fleet.Queue.PartitionsAsync(queue), cancellationToken).ConfigureAwait(false);
        return new QueueStatus(queue, stats.Waiting, stats.Delayed, stats.Inflight, stats.Dead, stats.Paused, partitions.Count);
    }

    /// <summary>The same for one queue among others, which it must not hide.</summary>
    public static async Task<QueueStatus> LookAsync(Fleet fleet, string queue, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(fleet, queue, cancellationToken).ConfigureAwait(false);
        }
        catch (QueueMismatchException e)
        {
            return new QueueStatus(queue, null, null, null, null, null, null) { Problem = e.Message };
        }
    }

    /// <param name="queues">The queues.</param>
    /// <param name="width">Columns of the terminal that it is to fit; null: all is shown.</param>
    public static string Text(IEnumerable<QueueStatus> queues, int? width) => Table(queues).ToText(width, LeaveOut);

    /// <summary>Writes the table to standard output.</summary>
    public static void Print(IEnumerable<QueueStatus> queues) => Table(queues).Print(LeaveOut);

    private static FleetTable Table(IEnumerable<QueueStatus> queues)
    {
        var table = new FleetTable("QUEUE", "WAITING", "DELAYED", "RUNNING", "DEAD", "PARTITIONS", "STATE");
        foreach (var q in queues)
        {
            table.Add(
                q.Queue, Text(q.Waiting), Text(q.Delayed), Text(q.Running), Text(q.Dead), Text(q.Partitions),
                q.Problem is not null ? "mismatch" : q.Paused == true ? "paused" : "open");
        }

        return table;
    }

    /// <summary>Tells people what is wrong with some of the queues.</summary>
    /// <returns>The exit code that goes with it.</returns>
    public static int Complain(IEnumerable<QueueStatus> queues)
    {
        var code = ExitCodes.Done;
        foreach (var problem in queues.Select(queue => queue.Problem).OfType<string>())
        {
            FleetCall.Say($"llmpipe: {problem}");
            code = ExitCodes.Broke;
        }

        return code;
    }

    /// <summary>A number of its jobs; a question mark where it cannot be read.</summary>
    public static string Text(long? number) => number is { } known ? RunConsole.Text(known) : "?";
}
