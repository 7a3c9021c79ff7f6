namespace LlmPipeline.Bench;

/// <summary>One measurement.</summary>
internal sealed record QuotaScenario
{
    public required string Name { get; init; }

    /// <summary>Worker processes.</summary>
    public required int Workers { get; init; }

    /// <summary>The judge's limits a minute.</summary>
    public required int RequestsPerMinute { get; init; }

    public required int TokensPerMinute { get; init; }

    /// <summary>Which of the two is short.</summary>
    public required bool TokensBind { get; init; }

    /// <summary>Whether the workers are told the limits.</summary>
    public bool IsKnown { get; init; } = true;

    /// <summary>Whether the judge corrects what was reserved to what was used; Azure does not.</summary>
    public bool Corrects { get; init; } = true;

    /// <summary>When the limits are halved; null for never.</summary>
    public TimeSpan? HalvedAfter { get; init; }

    /// <summary>The one that is short.</summary>
    public double Limit => TokensBind ? TokensPerMinute : RequestsPerMinute;

    /// <summary>All of them, for so many workers.</summary>
    public static IEnumerable<QuotaScenario> All(int workers, int requests, int tokens, TimeSpan length)
    {
        // What does not bind is out of reach.
        var byRequests = new QuotaScenario { Name = $"requests-{workers}", Workers = workers, RequestsPerMinute = requests, TokensPerMinute = requests * 10_000, TokensBind = false };
        var byTokens = new QuotaScenario { Name = $"tokens-{workers}", Workers = workers, RequestsPerMinute = tokens / 10, TokensPerMinute = tokens, TokensBind = true };
        return
        [
            byRequests,
            byTokens,
            byTokens with { Name = $"azure-{workers}", Corrects = false },
            byRequests with { Name = $"unknown-requests-{workers}", IsKnown = false },
            byTokens with { Name = $"unknown-tokens-{workers}", IsKnown = false },
            byRequests with { Name = $"halved-requests-{workers}", HalvedAfter = length / 2 },
            byTokens with { Name = $"halved-tokens-{workers}", HalvedAfter = length / 2 },
        ];
    }
}
