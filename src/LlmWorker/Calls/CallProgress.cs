namespace LlmPipeline;

/// <summary>Where a claimed job is, for those who count jobs, and when no more calls are to be sent for it.</summary>
/// <param name="stopSending">Cancelled when no more calls are to be sent. What is sent goes on; what waits ends.</param>
internal sealed class CallProgress(CancellationToken stopSending)
{
    private int _stage;

    /// <summary>Cancelled when no more calls are to be sent.</summary>
    public CancellationToken StopSending { get; } = stopSending;

    /// <summary>How the job was refused under an earlier claim, or this one, if that is not judged yet.</summary>
    public JobRefusal? Refused { get; set; }

    /// <summary>Where the job is.</summary>
    public CallStage Stage
    {
        get => (CallStage)Volatile.Read(ref _stage);
        set => Volatile.Write(ref _stage, (int)value);
    }
}
