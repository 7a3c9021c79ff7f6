namespace LlmPipeline;

/// <summary>Where a claimed job is.</summary>
internal enum CallStage
{
    /// <summary>It waits for one of the process's slots.</summary>
    WaitingForSlot,

    /// <summary>It has a slot, and waits for a permit, for quota or for the start of its batch.</summary>
    WaitingForQuota,

    /// <summary>Its call is sent: in flight.</summary>
    Sent,

    /// <summary>Its last try failed, and it pauses before the next one.</summary>
    Retrying,

    /// <summary>Nothing is to be sent for it any more; its result is to be stored or its claim to be ended.</summary>
    Ended,
}
