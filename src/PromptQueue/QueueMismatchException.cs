namespace LlmPipeline;

/// <summary>A queue was created with another number of partitions or by another version of the schema.</summary>
public sealed class QueueMismatchException(string queue, int partitions, string? foundPartitions, string? foundVersion)
    : Exception(foundVersion == SchemaVersion.Of(queue).Text
        ? $"queue {queue} has {foundPartitions} partitions, not {partitions}: leave --partitions (or the option Partitions) out, or set it to {foundPartitions}"
        : $"queue {queue} has schema version {foundVersion}, and this program speaks {SchemaVersion.Of(queue)}: use the program's version that matches")
{
    /// <summary>The queue.</summary>
    public string Queue { get; } = queue;

    /// <summary>The number of partitions that the queue has.</summary>
    public string? FoundPartitions { get; } = foundPartitions;

    /// <summary>The schema version that the queue has.</summary>
    public string? FoundVersion { get; } = foundVersion;
}
