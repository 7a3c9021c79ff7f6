using System.ComponentModel.DataAnnotations;

namespace LlmPipeline;

/// <summary>How a process uses the queue.</summary>
public sealed class PromptQueueOptions
{
    /// <summary>Goes before every key, so that several installations can share one Redis. Default: nothing.</summary>
    [RegularExpression("[^{}]*", ErrorMessage = "{0} must not hold braces: they mark the part of a key that names its cluster slot")]
    public string KeyPrefix { get; set; } = "";

    /// <summary>
    /// Partitions of a queue, 1 to 1,024. Default, null: as many as the queue has, and 1 for a new one, or 16 on a Redis Cluster. Fixed when a queue
    /// is created: enqueueing into a queue that has another number than this is a <see cref="QueueMismatchException"/>.
    /// </summary>
    [Range(1, 1024)]
    public int? Partitions { get; set; }

    /// <summary>How long a claim is valid without a renewal; default 30 s. A worker renews each third of it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "1.00:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>A process that was not seen for so long is gone and its leases are reclaimed; default 4.4 s, so that with the time between two looks a dead process is noticed within 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "1.00:00:00")]
    public TimeSpan WorkerTimeout { get; set; } = TimeSpan.FromSeconds(4.4);

    /// <summary>
    /// The largest job that is accepted, in bytes with all that goes around its request; default 16 MiB, for pictures in base64. From 1 KiB
    /// to 256 MiB, which is half of the 512 MiB that Redis takes as one value
    /// (<see href="https://redis.io/docs/latest/develop/data-types/strings/"/>). It does not bound what others have enqueued: a worker runs
    /// those too.
    /// </summary>
    [Range(LeastJobBytes, MostJobBytes)]
    public int MaxJobBytes { get; set; } = DefaultJobBytes;

    /// <summary>A bound of <see cref="MaxJobBytes"/>, or its default.</summary>
    public const int LeastJobBytes = 1024, MostJobBytes = 256 * 1024 * 1024, DefaultJobBytes = 16 * 1024 * 1024;

    /// <summary>
    /// Jobs that may wait in a queue before enqueueing answers <see cref="EnqueueOutcome.Full"/>; null, the default, for no limit. Judged by partition, each
    /// having its equal share, before a call's jobs are added: it may be passed by one call of 500 jobs a partition.
    /// </summary>
    [Range(1, long.MaxValue)]
    public long? MaxWaiting { get; set; }

    /// <summary>
    /// Queues that may exist, retired ones included and private ones not; a job that would create another is a <see cref="QueueLimitException"/>.
    /// Null for no limit. Default 1,000.
    /// </summary>
    [Range(1, int.MaxValue)]
    public int? MaxQueues { get; set; } = 1000;

    /// <summary>Dead letters that a queue keeps; the oldest go beyond that, each partition having its equal share. Default 100,000.</summary>
    [Range(1, int.MaxValue)]
    public int MaxDead { get; set; } = 100_000;

    /// <summary>How long a dead letter is kept at most; default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan MaxDeadAge { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long a batch's counts are kept after its last change; default 30 days, as for results.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan BatchTtl { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long the files of a prompt function are kept after they were last submitted or read by a worker; default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan PromptTtl { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// Replicas that must have an enqueued job before it counts; default 0. Redis replicates asynchronously: without this a failover may lose
    /// what its master accepted last. Needs a Redis with that many replicas at the master concerned.
    /// </summary>
    [Range(0, 100)]
    public int Replicas { get; set; }

    /// <summary>How long they may take before it is a <see cref="ReplicasBehindException"/>; default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:00:05")]
    public TimeSpan ReplicaTimeout { get; set; } = TimeSpan.FromSeconds(1);
}
