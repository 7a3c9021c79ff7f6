namespace LlmPipeline;

/// <summary>The states of a batch, as the wire and Redis name them.</summary>
internal static class BatchState
{
    public const string Validating = "validating";
    public const string InProgress = "in_progress";
    public const string Finalizing = "finalizing";
    public const string Cancelling = "cancelling";
    public const string Completed = "completed";
    public const string Failed = "failed";
    public const string Expired = "expired";
    public const string Cancelled = "cancelled";

    public static bool IsOpen(string status) => status is Validating or InProgress or Finalizing or Cancelling;
}
