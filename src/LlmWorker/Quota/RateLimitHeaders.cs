using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>What an answer's headers say of the provider's limits. Anything that cannot be read counts as not said.</summary>
internal sealed partial record RateLimitHeaders
{
    // A wait beyond this is a mistake or a daily quota; either way the next look is due within a day.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>How long to stay away: <c>retry-after-ms</c>, else <c>Retry-After</c> in seconds or as a date.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary><c>x-ratelimit-limit-requests</c>.</summary>
    public long? RequestLimit { get; init; }

    /// <summary><c>x-ratelimit-limit-tokens</c>.</summary>
    public long? TokenLimit { get; init; }

    /// <summary><c>x-ratelimit-remaining-requests</c>.</summary>
    public long? RequestsLeft { get; init; }

    /// <summary><c>x-ratelimit-remaining-tokens</c>.</summary>
    public long? TokensLeft { get; init; }

    /// <summary><c>x-ratelimit-reset-requests</c>: until the requests are all there again.</summary>
    public TimeSpan? RequestReset { get; init; }

    /// <summary><c>x-ratelimit-reset-tokens</c>: until the tokens are all there again.</summary>
    public TimeSpan? TokenReset { get; init; }

    /// <param name="headers">The answer's.</param>
    /// <param name="now">The time here, for an answer that does not say its own. A date is meant by the server's clock, and its <c>Date</c> tells that.</param>
    public static RateLimitHeaders Read(HttpResponseHeaders headers, DateTimeOffset now) => new()
    {
        RetryAfter = Wait(First(headers, "retry-after-ms"), First(headers, "retry-after"), headers.Date ?? now),
        RequestLimit = Number(First(headers, "x-ratelimit-limit-requests")),
        TokenLimit = Number(First(headers, "x-ratelimit-limit-tokens")),
        RequestsLeft = Number(First(headers, "x-ratelimit-remaining-requests")),
        TokensLeft = Number(First(headers, "x-ratelimit-remaining-tokens")),
        RequestReset = Duration(First(headers, "x-ratelimit-reset-requests")),
        TokenReset = Duration(First(headers, "x-ratelimit-reset-tokens")),
    };

    internal static TimeSpan? Wait(string? milliseconds, string? retryAfter, DateTimeOffset now)
    {
        if (Seconds(milliseconds) is { } thousandfold)
            return Bounded(thousandfold / 1000);
        if (Seconds(retryAfter) is { } seconds)
            return Bounded(seconds);
        return DateTimeOffset.TryParse(retryAfter, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? Bounded((date - now).TotalSeconds)
            : null;
    }

    /// <summary>A duration as Go writes it: <c>1m30.5s</c>, <c>250ms</c>, <c>6h0m0s</c>; a bare number is seconds.</summary>
    internal static TimeSpan? Duration(string? text)
    {
        if (Seconds(text) is { } bare)
            return Bounded(bare);
        if (string.IsNullOrEmpty(text) || !Durations().IsMatch(text))
            return null;
        var seconds = 0.0;
        foreach (Match part in Parts().Matches(text))
        {
            seconds += double.Parse(part.Groups[1].ValueSpan, CultureInfo.InvariantCulture) * part.Groups[2].ValueSpan switch
            {
                "h" => 3600,
                "m" => 60,
                "s" => 1,
                "ms" => 1e-3,
                "ns" => 1e-9,
                _ => 1e-6,
            };
        }
        return Bounded(seconds);
    }

    private static string? First(HttpResponseHeaders headers, string name) =>
        headers.TryGetValues(name, out var values) ? values.FirstOrDefault()?.Trim() : null;

    private static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static double? Seconds(string? text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : null;

    private static TimeSpan Bounded(double seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, Longest.TotalSeconds));

    [GeneratedRegex(@"^(\d+(\.\d+)?(h|ms|m|s|us|µs|μs|ns))+$")]
    private static partial Regex Durations();

    [GeneratedRegex(@"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|μs|ns)")]
    private static partial Regex Parts();
}
