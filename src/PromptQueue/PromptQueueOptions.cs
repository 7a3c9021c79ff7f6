using System.ComponentModel.DataAnnotations;

namespace LlmPipeline;

/// <summary>How a process uses the queue.</summary>
public sealed class PromptQueueOptions
{
    /// <summary>Goes before every key, so that several installations can share one Redis. Default: nothing.</summary>
    [RegularExpression("[^{}]*", ErrorMessage = "KeyPrefix must not hold { or }: they mark the part of a key that names its cluster slot")]
    public string KeyPrefix { get; set; } = "";

    /// <summary>
    /// Partitions of a queue that this process creates, 1 to 1,024; default 1. Fixed when a queue is created: enqueueing into a queue that
    /// has another number is a <see cref="QueueMismatchException"/>.
    /// </summary>
    [Range(1, 1024)]
    public int Partitions { get; set; } = 1;

    /// <summary>How long a claim is valid without a renewal; default 30 s. A worker renews each third of it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "1.00:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>A process that was not seen for so long is gone and its leases are reclaimed; default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "1.00:00:00")]
    public TimeSpan WorkerTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The largest envelope that is accepted, in bytes; default 1 MiB.</summary>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxJobBytes { get; set; } = 1024 * 1024;

    /// <summary>How long a batch's counts are kept after its last change; default 30 days, as for results.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan BatchTtl { get; set; } = TimeSpan.FromDays(30);
}
