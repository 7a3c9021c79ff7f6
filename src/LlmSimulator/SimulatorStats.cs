namespace LlmPipeline;

/// <summary>What the simulator has counted since its start or the last reset, at one moment.</summary>
public sealed record SimulatorStats
{
    /// <summary>Calls to LLM routes, whatever became of them.</summary>
    public required long Calls { get; init; }

    /// <summary>Of these, calls over HTTP/2; the others came over HTTP/1.1.</summary>
    public required long CallsOverHttp2 { get; init; }

    /// <summary>Calls answered with a completion or embeddings that were written to the end.</summary>
    public required long Completed { get; init; }

    /// <summary>Calls whose client went away before it was answered.</summary>
    public required long Abandoned { get; init; }

    /// <summary>Answers by HTTP status. A call that was reset or hung has none.</summary>
    public required IReadOnlyDictionary<int, long> Statuses { get; init; }

    /// <summary>Injected faults by kind.</summary>
    public required IReadOnlyDictionary<FaultKind, long> Faults { get; init; }

    /// <summary>Calls that met a row of the dialect table, by its name.</summary>
    public IReadOnlyDictionary<string, long> Dialects { get; init; } = new Dictionary<string, long>();

    /// <summary>Calls under way.</summary>
    public required int InFlight { get; init; }

    /// <summary>The most calls that were under way at once.</summary>
    public required int MaxInFlight { get; init; }

    /// <summary>Prompt tokens of the completed calls.</summary>
    public required long TokensIn { get; init; }

    /// <summary>Completion tokens of the completed calls.</summary>
    public required long TokensOut { get; init; }

    /// <summary>Distinct jobs that called; 0 without <see cref="SimulatorOptions.CountJobs"/>.</summary>
    public required int Jobs { get; init; }

    /// <summary>Completions beyond the first of their job, summed over all jobs.</summary>
    public required long PaidTwice { get; init; }

    /// <summary>Number of calls → how many jobs made that many.</summary>
    public required IReadOnlyDictionary<int, int> CallsPerJob { get; init; }

    /// <summary>Calls that the limits let in.</summary>
    public long CountedRequests { get; init; }

    /// <summary>Tokens of those calls, as they count against the limit: what was reserved, and what was used once that is known, where that is corrected.</summary>
    public long CountedTokens { get; init; }

    /// <summary>Calls that the limits refused.</summary>
    public long Refused { get; init; }

    /// <summary>Calls that stand in the last 60 s; 0 without limits.</summary>
    public long RequestsInMinute { get; init; }

    /// <summary>Tokens that stand in the last 60 s; 0 without limits.</summary>
    public long TokensInMinute { get; init; }

    internal SimulatorStats With(WindowCounts counts) => this with
    {
        CountedRequests = counts.Requests,
        CountedTokens = counts.Tokens,
        Refused = counts.Refused,
        RequestsInMinute = counts.RequestsInMinute,
        TokensInMinute = counts.TokensInMinute,
    };
}
