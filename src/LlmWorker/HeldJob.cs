namespace LlmPipeline;

/// <summary>A claimed job while this process works on it.</summary>
internal sealed class HeldJob(ClaimedJob claim, QueuePartition partition)
{
    // Never disposed: it holds no timer, and whoever stops the job must not have to know whether it has just ended.
    private readonly CancellationTokenSource _stop = new();
    private int _lost;
    private int _cancelled;

    /// <summary>The claim.</summary>
    public ClaimedJob Claim => claim;

    /// <summary>Where it lies.</summary>
    public QueuePartition Partition => partition;

    /// <summary>Set when the work has to stop: the lease is lost, or the process ends.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>True when the lease is somebody else's now.</summary>
    public bool Lost => Volatile.Read(ref _lost) != 0;

    /// <summary>True when somebody asked for the job, or its batch, to be cancelled.</summary>
    public bool CancelAsked => claim.CancelAsked || Volatile.Read(ref _cancelled) != 0;

    /// <summary>Stops the work because somebody asked for it.</summary>
    public void Cancel()
    {
        Volatile.Write(ref _cancelled, 1);
        _stop.Cancel();
    }

    /// <summary>Stops the work.</summary>
    public void Stop() => _stop.Cancel();

    /// <summary>Stops the work because its lease is gone.</summary>
    public void Lose()
    {
        Volatile.Write(ref _lost, 1);
        _stop.Cancel();
    }
}
