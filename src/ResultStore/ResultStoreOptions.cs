using System.ComponentModel.DataAnnotations;

namespace LlmPipeline;

/// <summary>How a process keeps results.</summary>
public sealed class ResultStoreOptions
{
    /// <summary>Goes before every key, so that several installations can share one Redis. Default: nothing.</summary>
    [RegularExpression("[^{}]*", ErrorMessage = "{0} must not hold braces: they mark the part of a key that names its cluster slot")]
    public string KeyPrefix { get; set; } = "";

    /// <summary>How long a result is kept after it was stored; default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan Ttl { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// Replicas that must have a result before it counts; default 0. Redis replicates asynchronously: without this a failover may lose
    /// what its master accepted last. Needs a Redis with that many replicas at the master concerned.
    /// </summary>
    [Range(0, 100)]
    public int Replicas { get; set; }

    /// <summary>How long they may take before it is a <see cref="ReplicasBehindException"/> (a worker then tries again and settles no job before); default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:00:05")]
    public TimeSpan ReplicaTimeout { get; set; } = TimeSpan.FromSeconds(1);
}
