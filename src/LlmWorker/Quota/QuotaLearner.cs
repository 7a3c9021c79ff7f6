namespace LlmPipeline;

/// <summary>
/// Reads limits out of answers' headers. Without configured limits, what the provider says is the limit. With them, it counts only when it is a limit a
/// minute for certain, or changes under way: some providers' headers are about another span of time. Not safe for threads; the limiter locks.
/// </summary>
internal sealed class QuotaLearner(QuotaAmount configured)
{
    // What is all there again only after more than a minute is a limit an hour or a day.
    private static readonly TimeSpan LongestReset = TimeSpan.FromSeconds(61);

    private readonly double[] _firstSeen = [double.NaN, double.NaN];

    /// <summary>The limits that an answer teaches; NaN for none.</summary>
    public QuotaAmount Learn(RateLimitHeaders headers) => new(
        Learn(0, headers.RequestLimit, headers.RequestsLeft, headers.RequestReset), Learn(1, headers.TokenLimit, headers.TokensLeft, headers.TokenReset));

    /// <summary>What the provider has counted of its minute; NaN for unknown.</summary>
    public static QuotaAmount Judged(RateLimitHeaders headers) => new(
        Judged(headers.RequestLimit, headers.RequestsLeft, headers.RequestReset), Judged(headers.TokenLimit, headers.TokensLeft, headers.TokenReset));

    /// <summary>The limits in force, a minute; 0 for none.</summary>
    public QuotaAmount InForce(QuotaAmount learned, double share) =>
        new(Lower(configured.Requests, learned.Requests) * share, Lower(configured.Tokens, learned.Tokens) * share);

    private static double Lower(double configured, double learned) =>
        configured <= 0 ? learned : learned <= 0 ? configured : Math.Min(configured, learned);

    private static bool IsAMinutes(long? limit, long? left, TimeSpan? reset) =>
        limit > 0 && (reset is null || left is null || left == limit || reset <= LongestReset);

    private static double Judged(long? limit, long? left, TimeSpan? reset) =>
        left is { } rest && rest <= limit && IsAMinutes(limit, left, reset) ? limit.Value - rest : double.NaN;

    private double Learn(int kind, long? limit, long? left, TimeSpan? reset)
    {
        if (!IsAMinutes(limit, left, reset))
            return double.NaN;
        var told = (double)limit!.Value;
        if (configured[kind] <= 0)
            return told;
        if (double.IsNaN(_firstSeen[kind]))
            _firstSeen[kind] = told;
        var isCertain = reset > TimeSpan.Zero && left < limit;
        return isCertain || told < _firstSeen[kind] ? told : double.NaN;
    }
}
