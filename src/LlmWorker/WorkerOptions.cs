using System.ComponentModel.DataAnnotations;

namespace LlmPipeline;

/// <summary>How a process works on queues.</summary>
public sealed class WorkerOptions
{
    /// <summary>This process among the workers; unique, up to 200 bytes without <c>|</c>. Default: machine, process id and 32 random bits.</summary>
    [Required]
    [RegularExpression(@"[^|{}\x00-\x1f]{1,200}", ErrorMessage = "Name is 1 to 200 characters without | { }")]
    public string Name { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}-{Random.Shared.Next():x8}";

    /// <summary>Jobs that run at the same time in this process, over all its queues; default 32. A deployment's own limit comes on top.</summary>
    [Range(1, 100_000)]
    public int Concurrency { get; set; } = 32;

    /// <summary>How long running jobs may go on when the process is asked to stop; default 10 s. After that they are given back.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often expired leases are looked for; default 0.5 s, with jitter.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan ReclaimInterval { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How often this process says that it lives, where it holds leases; default 1.5 s, and never more than a third of the queue's WorkerTimeout.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan BeatInterval { get; set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>
    /// A queue without jobs of which no job ran for so long is retired: it costs nothing until its next job, which brings it back within some
    /// milliseconds. Null: queues are served for ever. Default 1 minute.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "3650.00:00:00")]
    public TimeSpan? QueueIdleTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>A job that lost its lease more often than this is not run again but buried as poison; default 5.</summary>
    [Range(0, 1000)]
    public int MaxLost { get; set; } = 5;

    /// <summary>
    /// Nothing is claimed while Redis uses more than this share of its <c>maxmemory</c>, so that results find room; null, the default, for
    /// no such limit: a queue whose waiting jobs fill Redis must still drain.
    /// </summary>
    [Range(0.01, 1)]
    public double? MaxMemoryShare { get; set; }

    /// <summary>Whether Redis is asked what it permits before anything is claimed; a store of the process' own permits all.</summary>
    internal bool ChecksPermissions { get; set; } = true;

    /// <summary>Asked before each claim: false, and nothing is claimed as long as it stays so, while what runs goes on; null, the default, for no such limit.</summary>
    public Func<bool>? MayClaim { get; set; }
}
