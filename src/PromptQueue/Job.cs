using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>One prompt to be completed, as it is enqueued and as a worker gets it back.</summary>
public sealed record Job
{
    /// <summary>Unique in the queue; up to 256 bytes of printable text without <c>{ }</c>. A batch's jobs are <c>&lt;batch&gt;.&lt;row&gt;</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The queue: the model's name, or a <see cref="PrivateQueue"/> of the batch.</summary>
    public required string Queue { get; init; }

    /// <summary>The model. The queue is named by it, and that is the default; of a job in a private queue it must be set.</summary>
    public string Model { get => field ?? Queue; init; }

    /// <summary>What to ask of the LLM.</summary>
    public required JobWork Work { get; init; }

    /// <summary>How soon it is claimed beside others.</summary>
    public Lane Lane { get; init; } = Lane.Normal;

    /// <summary>The batch that it belongs to; null for a single job.</summary>
    public string? Batch { get; init; }

    /// <summary>Its number in the batch, from 1 and without gaps; 0 for a single job.</summary>
    public int Row { get; init; }

    /// <summary>The submitter's own name for it, copied to the result; null for none.</summary>
    public string? CustomId { get; init; }

    /// <summary>How often the LLM work is started at most before the job fails.</summary>
    public int MaxAttempts { get; init; } = 8;

    /// <summary>How long a single call may take; null for the deployment's own limit.</summary>
    public TimeSpan? AttemptTimeout { get; init; }

    /// <summary>How long it waits before it may be claimed. Not kept: a claimed job reads zero here.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>
    /// When it is no longer wanted, by the clock of this process, whose difference to the clock of Redis is made up for; null for never. Past it, the job
    /// ends as expired.
    /// </summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When it was enqueued; set by <c>EnqueueAsync</c> when left out. Of a claimed job: by the clock of Redis.</summary>
    public DateTimeOffset Enqueued { get; init; }

    /// <summary>The submitter's own data, copied along; null for none.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>How long its result is kept, 1 s at least; null for as long as the worker keeps results. A worker of an earlier version does not read it.</summary>
    public TimeSpan? ResultLife { get; init; }

    /// <summary>The W3C <c>traceparent</c> of whoever enqueued it; null for that of the enqueue call, if it is traced.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The id of a job that is submitted under an idempotency key: the same key, the same job, and a job that is there is not enqueued twice.</summary>
    /// <param name="idempotencyKey">The submitter's key, any text.</param>
    public static string IdFor(string idempotencyKey)
    {
        ArgumentException.ThrowIfNullOrEmpty(idempotencyKey);
        return "k-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(idempotencyKey)));
    }
}
