using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>What a gateway is put together from.</summary>
public sealed record GatewayParts
{
    /// <summary>The Redis of the fleet.</summary>
    public required RedisConnections Redis { get; init; }

    /// <summary>The queue on it.</summary>
    public required PromptQueue Queue { get; init; }

    /// <summary>The results on it.</summary>
    public required ResultStore Results { get; init; }

    /// <summary>The settings, without faults.</summary>
    public required GatewayOptions Options { get; init; }

    /// <summary>Where it listens: <c>http://HOST:PORT</c>; port 0 takes a free one.</summary>
    public required IReadOnlyList<string> Urls { get; init; }

    /// <summary>How often a row's LLM work is started at most.</summary>
    public int MaxAttempts { get; init; } = 8;

    /// <summary>How long one call may take; null for the worker's own limit.</summary>
    public TimeSpan? AttemptTimeout { get; init; }

    /// <summary>The clock.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Which models callers may name.</summary>
    internal ModelAccess Models => field ??= new ModelAccess(Queue, Options);

    /// <summary>Where it tells what happens. Keys, prompts and answers are never told.</summary>
    public required ILoggerFactory Loggers { get; init; }
}
