namespace LlmPipeline;

/// <summary>A batch as a whole.</summary>
public sealed record BatchInfo
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What its submitter calls it, for people; several batches may have the same name. Null: it has none, and saving leaves the one that it has.</summary>
    public string? Name { get; init; }

    /// <summary>How many rows it has; 0 while that is not known.</summary>
    public int Rows { get; init; }

    /// <summary>The queues that its jobs lie in.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>The models of its rows.</summary>
    public IReadOnlyList<string> Models { get => field ?? [.. Queues.Where(queue => !PrivateQueue.Is(queue))]; init; }

    /// <summary>Whether it is the batch of a run, whose rows only that run calls.</summary>
    public bool IsOfRun => Queues.Any(PrivateQueue.Is);

    /// <summary>Where it is sent to, for people; no secrets.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>When it was created.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>True when all its rows are enqueued.</summary>
    public bool Sealed { get; init; }

    /// <summary>Rows that were put on the queue, each counted once; 0: not known. Fewer than <see cref="Rows"/> where a run had answers of the others.</summary>
    public int Submitted { get; init; }

    /// <summary>True when it was asked to stop. Read only: <see cref="Batches.CancelAsync"/> sets it, and saving leaves it as it is.</summary>
    public bool Cancelled { get; init; }

    /// <summary>True when results of it are a simulator's. Read only: <see cref="Batches.MarkSimulatedAsync"/> sets it, and saving leaves it as it is.</summary>
    public bool Simulated { get; init; }
}
