namespace LlmPipeline;

/// <summary>What the workers of a process share.</summary>
internal sealed class WorkerParts
{
    public required RedisConnections Redis { get; init; }

    public required ResultStore Results { get; init; }

    public required ILlmCaller Caller { get; init; }

    public required LeaseKeeper Leases { get; init; }

    public required ClaimGate Gate { get; init; }

    public required JobRunner Runner { get; init; }

    public required Slots Slots { get; init; }

    public required WorkerOptions Options { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Set when the process ends without waiting any longer.</summary>
    public required CancellationToken GiveUp { get; init; }

    /// <summary>Cancelled when no more calls are to be sent.</summary>
    public required CancellationToken StopSending { get; init; }

    /// <summary>What is waited for before the process ends.</summary>
    public RunningWork Running { get; } = new();
}
