namespace LlmPipeline;

/// <summary>How a deployment is doing.</summary>
public sealed record DeploymentStatus
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The model it serves; <c>*</c> for every one that no other deployment names.</summary>
    public required string Model { get; init; }

    /// <summary>scheme://host[:port].</summary>
    public required string Endpoint { get; init; }

    /// <summary>Calls on their way now.</summary>
    public int InFlight { get; init; }

    /// <summary>HTTP calls sent so far.</summary>
    public long Calls { get; init; }

    /// <summary>Of the jobs' tries on it, those that followed a failed one.</summary>
    public long Retries { get; init; }

    /// <summary>Calls that the provider put off (429, or 503 with Retry-After).</summary>
    public long Throttled { get; init; }

    /// <summary>Prompt tokens in total, as the provider counted them.</summary>
    public long InputTokens { get; init; }

    /// <summary>Completion tokens in total.</summary>
    public long OutputTokens { get; init; }

    /// <summary>What its calls have cost in total, in billionths of the price table's currency; null as long as no price is known.</summary>
    public long? SpentNanos { get; init; }

    /// <summary>HTTP calls sent in the last 60 s.</summary>
    public long CallsLastMinute { get; init; }

    /// <summary>Prompt tokens of the last 60 s.</summary>
    public long InputTokensLastMinute { get; init; }

    /// <summary>Completion tokens of the last 60 s.</summary>
    public long OutputTokensLastMinute { get; init; }

    /// <summary>The limit in force, from settings or answers, cut where it failed; null for none.</summary>
    public int? RequestsPerMinute { get; init; }

    /// <summary>The limit in force, from settings or answers, cut where it failed; null for none.</summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>The limit; null for none.</summary>
    public int? Concurrency { get; init; }

    /// <summary>Until when the provider asked to wait; null when the gate is open.</summary>
    public DateTimeOffset? GateClosedUntil { get; init; }

    /// <summary>Until when it is left alone because it kept failing; null when the circuit is closed, as it should be.</summary>
    public DateTimeOffset? CircuitOpenUntil { get; init; }

    /// <summary>The last failure, one line; null when there was none or a call has succeeded since.</summary>
    public string? LastFailure { get; init; }

    /// <summary>The last failure, one line, with its code; null when there was none. A success does not clear it.</summary>
    public string? RecentFailure { get; init; }

    /// <summary>The limit that calls wait for now; null for none.</summary>
    public QuotaLimit? WaitingFor { get; init; }

    /// <summary>Its models that have been called.</summary>
    public IReadOnlyList<ModelStatus> Models { get; init; } = [];

    /// <summary>The parts of it that are unavailable by a fault that no retry of a row resolves; each is probed again.</summary>
    public IReadOnlyList<OutageStatus> Outages { get; init; } = [];

    /// <summary>What is unavailable and why, in one line; null when nothing is.</summary>
    public string? UnavailableReason =>
        Outages.Count == 0 ? null : string.Join("; ", Outages.Select(one => one.Model is null ? one.Reason : $"{one.Model}: {one.Reason}"));
}
