using System.Globalization;
using System.Net.Http.Headers;

namespace LlmPipeline;

/// <summary>
/// The provider's limits according to an answer's headers. What cannot be read, is negative or absurdly large counts as absent. Limits are
/// read only where the name says that they are per minute or leaves the time open, as OpenAI's names do; of limits per day, per second and
/// of kinds that are not counted here only the reset matters, and only when nothing is left of them.
/// </summary>
internal sealed record RateLimitHeaders
{
    // What is larger limits nobody: some gateways send long.MaxValue for "none".
    private const long LargestLimit = 1_000_000_000_000;

    /// <summary>
    /// How long to wait: <c>retry-after-ms</c>, else <c>Retry-After</c>, else a header of another name that ends alike, as seconds, a
    /// duration, a date or Unix time.
    /// </summary>
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

    /// <summary>A limit of another kind (per day, of input tokens …) of which nothing is left: the one that resets last.</summary>
    public ThrottleNotice? OtherExhausted { get; init; }

    /// <summary>
    /// A limit of which the headers say when it resets and not what is left of it: the one that resets first. It explains a 429 for which
    /// there is no other wait.
    /// </summary>
    public ThrottleNotice? ResetAlone { get; init; }

    /// <summary>The time of the answer by the server's clock, where it sends one; null when the headers were not read.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>What ran out, and how long until it is there again; null when the headers name nothing that ran out and resets.</summary>
    public ThrottleNotice? Exhausted
    {
        get
        {
            var requests = Of(RequestsLeft, RequestReset, RateLimitName.Requests);
            return Later(Later(requests, Of(TokensLeft, TokenReset, RateLimitName.Tokens)), OtherExhausted);

            static ThrottleNotice? Of(long? left, TimeSpan? reset, string limit) =>
                left == 0 && reset > TimeSpan.Zero ? new ThrottleNotice(reset, limit) : null;
        }
    }

    /// <param name="headers">The answer's.</param>
    /// <param name="now">The time here, for an answer without <c>Date</c>. A date in the others is meant by the server's clock.</param>
    public static RateLimitHeaders Read(HttpResponseHeaders headers, DateTimeOffset now)
    {
        var at = headers.Date ?? now;
        Dictionary<RateLimitName, Values>? found = null;
        foreach (var (name, values) in headers.NonValidated)
        {
            if (!RateLimitName.MayBe(name))
                continue;
            found ??= [];
            if (RateLimitName.IsCombined(name))
                ReadCombined(values.ToString(), at, found);
            else if (RateLimitName.Parse(name) is var (limit, field))
                Set(found, limit, field, values.ToString(), at);
        }
        var wait = Wait(All(headers, "retry-after-ms"), All(headers, "retry-after"), at)
            ?? Wait(Ending(headers, "-retry-after-ms"), Ending(headers, "-retry-after", "-retry-after-seconds"), at);
        if (found is null)
            return new RateLimitHeaders { RetryAfter = wait, At = at };
        var requests = PerMinute(found, RateLimitName.Requests);
        var tokens = PerMinute(found, RateLimitName.Tokens);
        return new RateLimitHeaders
        {
            RetryAfter = wait,
            RequestLimit = requests.Limit,
            TokenLimit = tokens.Limit,
            RequestsLeft = requests.Left,
            TokensLeft = tokens.Left,
            RequestReset = requests.Reset,
            TokenReset = tokens.Reset,
            OtherExhausted = found.Where(static one => one.Value is { Left: 0 } && one.Value.Reset > TimeSpan.Zero)
                .Select(static one => new ThrottleNotice(one.Value.Reset, one.Key.Text)).Aggregate((ThrottleNotice?)null, Later),
            ResetAlone = found.Where(static one => one.Value is { Left: null } && one.Value.Reset > TimeSpan.Zero)
                .Select(static one => new ThrottleNotice(one.Value.Reset, one.Key.Text)).MinBy(static one => one.Wait),
            At = at,
        };
    }

    /// <summary>What <c>retry-after-ms</c>, else <c>Retry-After</c> asks for; null for nothing that can be read.</summary>
    internal static TimeSpan? Wait(string? milliseconds, string? retryAfter, DateTimeOffset now) =>
        Longest(milliseconds, text => ProviderWait.ReadMilliseconds(text, now))
        ?? Longest(retryAfter, text => ProviderWait.Read(text, now));

    // Sent twice, or by a proxy on top of the provider's own: the longer wait satisfies both. A date has a comma of its own.
    private static TimeSpan? Longest(string? text, Func<string, TimeSpan?> read) =>
        text is null ? null : read(text) ?? text.Split(',').Select(part => read(part)).Max();

    private static string? All(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    // X-Retry-After, x-ms-retry-after-ms, x-ratelimit-retry-after …
    private static string? Ending(HttpResponseHeaders headers, params ReadOnlySpan<string> ends)
    {
        foreach (var (name, values) in headers.NonValidated)
        {
            foreach (var end in ends)
            {
                if (name.EndsWith(end, StringComparison.OrdinalIgnoreCase))
                    return values.ToString();
            }
        }

        return null;
    }

    // The name that leaves the time open comes first: it is the one that OpenAI, Azure and most others send.
    private static Values PerMinute(Dictionary<RateLimitName, Values> found, string counts) =>
        found.GetValueOrDefault(new RateLimitName(counts)) is { Limit: not null } open ? open
        : found.GetValueOrDefault(new RateLimitName(counts, "minute")) is { Limit: not null } minute ? minute
        : found.GetValueOrDefault(new RateLimitName(counts));

    // The drafts of the IETF: "limit=100, remaining=0, reset=30", and "default";r=0;t=30.
    private static void ReadCombined(string text, DateTimeOffset at, Dictionary<RateLimitName, Values> found)
    {
        foreach (var part in text.Split(',', ';'))
        {
            if (part.IndexOf('=', StringComparison.Ordinal) is not (> 0 and var equals))
                continue;
            var field = part[..equals].Trim().ToLowerInvariant() switch
            {
                "limit" => "limit",
                "remaining" or "r" => "remaining",
                "reset" or "t" => "reset",
                _ => null,
            };
            if (field is not null)
                Set(found, new RateLimitName(""), field, part[(equals + 1)..], at);
        }
    }

    private static void Set(Dictionary<RateLimitName, Values> found, RateLimitName limit, string field, string text, DateTimeOffset at)
    {
        var values = found.GetValueOrDefault(limit);
        // Several policies in one header: "100, 100;w=60". Nothing is learned of them.
        found[limit] = field switch
        {
            "limit" => values with { Limit = Number(text) },
            "remaining" => values with { Left = Left(values.Left, Number(text)) },
            _ => values with { Reset = ProviderWait.Read(text, at) is { } reset && !(values.Reset > reset) ? reset : values.Reset },
        };
    }

    private static long? Left(long? before, long? now) => before is null || now < before ? now : before;

    private static ThrottleNotice? Later(ThrottleNotice? one, ThrottleNotice? other) => one is null || other?.Wait > one.Wait ? other : one;

    // "100.0" is sent too, and so is a blank around it.
    private static long? Number(string text) =>
        decimal.TryParse(text.AsSpan().Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
        && number <= LargestLimit
            ? (long)number
            : null;

    private readonly record struct Values(long? Limit, long? Left, TimeSpan? Reset);
}
