namespace LlmPipeline;

/// <summary>A job as it was asked for, checked.</summary>
internal sealed record JobRequest
{
    /// <summary>The place of its idempotency key in the body, for later error messages.</summary>
    public required string KeyName { get; init; }

    /// <summary>The model, which is the queue.</summary>
    public required string Model { get; init; }

    public required JobWork Work { get; init; }

    /// <summary>The prompt function that <see cref="Work"/> names; null for none.</summary>
    public PromptFunction? Function { get; init; }

    public Lane Lane { get; init; } = Lane.Normal;

    /// <summary>How long it waits before it may be called.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>How long from now it is wanted; null for ever.</summary>
    public TimeSpan? Deadline { get; init; }

    public string? IdempotencyKey { get; init; }

    /// <summary>The hash of all that was asked for.</summary>
    public required string Asked { get; init; }

    public Dictionary<string, string>? Metadata { get; init; }

    /// <summary>Null for the gateway's own number.</summary>
    public int? MaxAttempts { get; init; }
}
