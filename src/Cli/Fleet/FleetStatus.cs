using System.Globalization;

namespace LlmPipeline;

/// <summary>The queues of a fleet and its newest batches.</summary>
internal sealed record FleetStatus(IReadOnlyList<QueueStatus> Queues, IReadOnlyList<BatchStatus> Batches)
{
    private const int NewestBatches = 20;

    public static async Task<FleetStatus> ReadAsync(Fleet fleet, CancellationToken cancellationToken)
    {
        var queues = new List<QueueStatus>();
        foreach (var queue in await fleet.QueuesAsync(null, cancellationToken).ConfigureAwait(false))
            queues.Add(await QueueStatus.ReadAsync(fleet, queue, cancellationToken).ConfigureAwait(false));
        var batches = new List<BatchStatus>();
        foreach (var id in (await fleet.AnsweredAsync(fleet.Queue.Batches.ListAsync, cancellationToken).ConfigureAwait(false)).Take(NewestBatches))
        {
            if (await fleet.FindBatchAsync(id, cancellationToken).ConfigureAwait(false) is { } batch)
                batches.Add(await BatchStatus.ReadAsync(fleet, batch, cancellationToken).ConfigureAwait(false));
        }

        return new FleetStatus(queues, batches);
    }

    public string ToText()
    {
        if (Queues.Count == 0)
            return "no queues: nothing was submitted to this Redis yet\n";
        var batches = new FleetTable("BATCH", "CREATED", "STATE", "ROWS", "COMPLETED", "FAILED", "CANCELLED", "LEFT");
        foreach (var b in Batches)
        {
            batches.Add(
                b.Batch, b.Created.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), b.State, RunConsole.Text(b.Rows), RunConsole.Text(b.Completed),
                RunConsole.Text(b.Failed), RunConsole.Text(b.Cancelled), RunConsole.Text(b.Left));
        }

        return QueueStatus.Table(Queues) + (Batches.Count > 0 ? "\n" + batches : "");
    }
}
