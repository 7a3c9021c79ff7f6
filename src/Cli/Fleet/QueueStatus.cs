namespace LlmPipeline;

/// <summary>Where the jobs of a queue are.</summary>
internal sealed record QueueStatus(string Queue, long Waiting, long Delayed, long Running, long Dead, bool Paused, int Partitions)
{
    public static async Task<QueueStatus> ReadAsync(Fleet fleet, string queue, CancellationToken cancellationToken)
    {
        var stats = await fleet.AnsweredAsync(() => fleet.Queue.StatsAsync(queue), cancellationToken).ConfigureAwait(false);
        var partitions = await fleet.AnsweredAsync(() => fleet.Queue.PartitionsAsync(queue), cancellationToken).ConfigureAwait(false);
        return new QueueStatus(queue, stats.Waiting, stats.Delayed, stats.Inflight, stats.Dead, stats.Paused, partitions.Count);
    }

    public static string Table(IEnumerable<QueueStatus> queues)
    {
        var table = new FleetTable("QUEUE", "WAITING", "DELAYED", "RUNNING", "DEAD", "PARTITIONS", "STATE");
        foreach (var q in queues)
        {
            table.Add(
                q.Queue, RunConsole.Text(q.Waiting), RunConsole.Text(q.Delayed), RunConsole.Text(q.Running), RunConsole.Text(q.Dead),
                RunConsole.Text(q.Partitions), q.Paused ? "paused" : "open");
        }

        return table.ToString();
    }
}
