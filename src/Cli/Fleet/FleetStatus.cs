namespace LlmPipeline;

/// <summary>The queues of a fleet and its newest batches.</summary>
/// <param name="Queues">The queues.</param>
/// <param name="Batches">The batches.</param>
/// <param name="Deployments">What each deployment's calls have cost; none as long as no price is known.</param>
/// <param name="Closed">What is unavailable, rate-limited or left alone.</param>
internal sealed record FleetStatus(
    IReadOnlyList<QueueStatus> Queues, IReadOnlyList<BatchStatus> Batches, IReadOnlyList<DeploymentCost> Deployments, IReadOnlyList<DeploymentState> Closed)
{
    private const int NewestBatches = 20;

    /// <summary>Where the jobs are that the workers hold, as they told within about two seconds.</summary>
    public CallCounts Calls { get; init; } = new(0, 0, 0, 0);

    public static async Task<FleetStatus> ReadAsync(Fleet fleet, CancellationToken cancellationToken)
    {
        var queues = new List<QueueStatus>();
        var costs = new List<JobCost>();
        foreach (var queue in await fleet.QueuesAsync(null, cancellationToken).ConfigureAwait(false))
        {
            queues.Add(await QueueStatus.LookAsync(fleet, queue, cancellationToken).ConfigureAwait(false));
            if (queues[^1].Problem is null)
                costs.AddRange(await fleet.AnsweredAsync(() => fleet.Queue.SpentAsync(queue), cancellationToken).ConfigureAwait(false));
        }

        var batches = new List<BatchStatus>();
        foreach (var id in (await fleet.AnsweredAsync(fleet.Queue.Batches.ListAsync, cancellationToken).ConfigureAwait(false)).Take(NewestBatches))
        {
            if (await fleet.FindBatchAsync(id, cancellationToken).ConfigureAwait(false) is { } batch)
                batches.Add(await BatchStatus.ReadAsync(fleet, batch, cancellationToken).ConfigureAwait(false));
        }

        var reports = await fleet.AnsweredAsync(fleet.Deployments.ReadAsync, cancellationToken).ConfigureAwait(false);
        var closed = DeploymentState.Of(reports).Where(one => !one.IsOpen).ToList();
        return new FleetStatus(queues, batches, DeploymentCost.Sums(costs), closed)
        {
            Calls = reports.Aggregate(new CallCounts(0, 0, 0, 0), (sum, worker) => worker.Calls is { } calls ? sum + calls : sum),
        };
    }

    /// <param name="width">Columns of the terminal that it is to fit; null: all is shown.</param>
    public string ToText(int? width = null)
    {
        if (Queues.Count == 0 && Batches.Count == 0)
            return "no queues: nothing was submitted to this Redis yet\n";
        var deployments = Costs();
        return QueueStatus.Text(Queues, width) + $"\ncalls: {Calls}\n" + (Batches.Count > 0 ? "\n" + BatchTable.Of(Batches, width) : "") + (Deployments.Count > 0 ? "\n" + deployments : "")
            + (Closed.Count > 0 ? "\n" + string.Concat(DeploymentState.Closed(Closed).Select(line => line + "\n")) : "");
    }

    /// <summary>Writes it to a terminal, in tables of Spectre.Console.</summary>
    public void Print()
    {
        if (Queues.Count == 0 && Batches.Count == 0)
        {
            Console.Out.Write(ToText());
            return;
        }

        QueueStatus.Print(Queues);
        Console.Out.WriteLine($"\n{TerminalText.ForOutput($"calls: {Calls}")}\n");
        if (Batches.Count > 0)
            BatchTable.Print(Batches);
        if (Deployments.Count > 0)
            Costs().Print();
        foreach (var line in DeploymentState.Closed(Closed))
            Console.Out.WriteLine(SafeText.Printable(line));
    }

    private FleetTable Costs()
    {
        var table = new FleetTable("DEPLOYMENT", "COST");
        foreach (var (deployment, cost) in Deployments)
            table.Add(deployment, Money.Text(cost));
        return table;
    }
}
