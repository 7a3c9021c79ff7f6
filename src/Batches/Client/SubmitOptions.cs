namespace LlmPipeline;

/// <summary>How a batch is submitted.</summary>
public sealed record SubmitOptions
{
    /// <summary>
    /// The batch's id. Null: the hash of its rows, so that a program that runs twice submits the same batch, and pays for it once.
    /// </summary>
    public string? Id { get; init; }

    /// <summary>Its name for people.</summary>
    public string? Name { get; init; }

    /// <summary>How soon its rows are claimed beside others.</summary>
    public Lane Lane { get; init; } = Lane.Normal;

    /// <summary>When its rows are no longer wanted; null for never. Rows that wait past it end as expired.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>How often a row is tried at most.</summary>
    public int MaxAttempts { get; init; } = 8;

    /// <summary>How long a single call may take; null for the deployment's own limit.</summary>
    public TimeSpan? AttemptTimeout { get; init; }

    /// <summary>How long its results are kept; null for as long as the workers keep results.</summary>
    public TimeSpan? ResultLife { get; init; }

    /// <summary>Whether rows run again that failed, expired or were cancelled when the batch was submitted before.</summary>
    public bool RetryFailed { get; init; }

    /// <summary>What happens where a queue is full.</summary>
    public WhenFull WhenFull { get; init; }
}
