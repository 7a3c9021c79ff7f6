namespace LlmPipeline.Tests;

/// <summary>Tests <see cref="RateLimitHeaders"/>, <see cref="RateLimitName"/> and <see cref="ProviderWait"/>.</summary>
public sealed class ReadingRateLimitHeaders
{
    private static readonly DateTimeOffset Now = new(2026, 1, 5, 12, 0, 0, TimeSpan.Zero);
    private static readonly long NowSeconds = Now.ToUnixTimeSeconds();

    [Theory]
    [InlineData("1500", "9", 1.5)]
    [InlineData("1500.5", null, 1.5005)]
    [InlineData(null, "3", 3)]
    [InlineData(null, "0.25", 0.25)]
    [InlineData(null, "0", 0)]
    [InlineData(null, "Mon, 05 Jan 2026 12:00:20 GMT", 20)]
    [InlineData(null, "Mon, 05 Jan 2026 11:00:00 GMT", 0)]
    [InlineData(null, "Wed, 21 Oct 2015 07:28:00 GMT", 0)]
    [InlineData("soon", "2", 2)]
    [InlineData(null, "2s", 2)]
    [InlineData(null, " 1m30s ", 90)]
    [InlineData(null, "26 seconds", 26)]
    [InlineData(null, "00:00:02", 2)]
    [InlineData(null, "01:00:00", 3600)]
    [InlineData(null, "PT36S", 36)]
    // A header that was sent twice.
    [InlineData(null, "1, 1", 1)]
    [InlineData(null, "1, 20", 20)]
    [InlineData("500, 1500", null, 1.5)]
    // ISO 8601, with and without a zone.
    [InlineData(null, "2026-01-05T12:00:07Z", 7)]
    [InlineData(null, "2026-01-05T13:00:07.5+01:00", 7.5)]
    [InlineData(null, "2026-01-05T12:00:07", 7)]
    [InlineData(null, "2026-01-05 12:00:07 UTC", 7)]
    // 31 days are the longest.
    [InlineData(null, "90000000", 31 * 86_400)]
    [InlineData(null, "999999h0m0s", 31 * 86_400)]
    public void The_wait_is_read_in_any_spelling(string? milliseconds, string? retryAfter, double seconds) =>
        Assert.Equal(seconds, RateLimitHeaders.Wait(milliseconds, retryAfter, Now)!.Value.TotalSeconds, 4);

    // Seen in the wild: https://github.com/openclaw/clawhub/issues/407, and OpenRouter's X-RateLimit-Reset in milliseconds.
    [Theory]
    [InlineData(1, 2)]
    [InlineData(1_000, 2)]
    [InlineData(1_000_000, 2)]
    [InlineData(1_000_000_000, 2)]
    [InlineData(1, -100)]
    [InlineData(1_000, -86_400)]
    public void A_number_that_as_seconds_would_be_decades_is_a_point_in_time(long unitsPerSecond, int seconds)
    {
        var text = $"{(NowSeconds + seconds) * (decimal)unitsPerSecond}";
        Assert.Equal(Math.Max(0, seconds), RateLimitHeaders.Wait(null, text, Now)!.Value.TotalSeconds, 3);
        Assert.Equal(Math.Max(0, seconds), ProviderWait.Read(text, Now)!.Value.TotalSeconds, 3);
    }

    [Fact]
    public void Milliseconds_that_are_a_point_in_time_are_read_as_one() =>
        Assert.Equal(2, RateLimitHeaders.Wait($"{(NowSeconds + 2) * 1000}", null, Now)!.Value.TotalSeconds, 3);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("-1s")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("soon")]
    [InlineData("1e400")]
    [InlineData(",")]
    [InlineData("-1, -1")]
    [InlineData("12:00")]
    public void A_wait_that_cannot_be_read_counts_as_not_said(string? retryAfter) => Assert.Null(RateLimitHeaders.Wait(null, retryAfter, Now));

    [Theory]
    [InlineData("1s", 1)]
    [InlineData("6m0s", 360)]
    [InlineData("1h2m3.5s", 3723.5)]
    [InlineData("120ms", 0.12)]
    [InlineData("1m30ms", 60.03)]
    [InlineData("250µs", 0.00025)]
    [InlineData("7", 7)]
    [InlineData("7.66", 7.66)]
    [InlineData("1d2h", 93_600)]
    [InlineData("2m59.56s", 179.56)]
    public void Durations_are_read_as_Go_writes_them(string text, double seconds) =>
        Assert.Equal(seconds, ProviderWait.Read(text, Now)!.Value.TotalSeconds, 6);

    [Theory]
    [InlineData("1s later")]
    [InlineData("s")]
    [InlineData("1y")]
    [InlineData("5 months")]
    [InlineData("")]
    public void Other_durations_count_as_not_said(string text) => Assert.Null(ProviderWait.Read(text, Now));

    [Theory]
    [InlineData("Mon, 05 Jan 2026 09:00:00 GMT", 20)]
    [InlineData(null, 0)]
    public void A_date_is_read_by_the_servers_own_clock(string? date, double seconds)
    {
        var limits = Read(("Retry-After", "Mon, 05 Jan 2026 09:00:20 GMT"), ("Date", date));
        Assert.Equal(TimeSpan.FromSeconds(seconds), limits.RetryAfter);
    }

    [Fact]
    public void Limits_and_what_is_left_are_read_from_an_answer()
    {
        var limits = Read(
            ("x-ratelimit-limit-requests", "500"), ("X-RateLimit-Remaining-Tokens", "29,000"), ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"), ("Retry-After", "2"));
        Assert.Equal((500, 499, null), (limits.RequestLimit, limits.RequestsLeft, limits.TokensLeft));
        Assert.Equal((TimeSpan.FromMilliseconds(120), TimeSpan.FromSeconds(2)), (limits.RequestReset!.Value, limits.RetryAfter!.Value));
        Assert.Null(limits.Exhausted);
    }

    // https://inference-docs.cerebras.ai/support/rate-limits
    [Fact]
    public void A_limit_per_minute_is_one_by_its_name_and_a_limit_per_day_is_none()
    {
        var limits = Read(
            ("x-ratelimit-limit-requests-day", "14400"), ("x-ratelimit-remaining-requests-day", "14399"),
            ("x-ratelimit-reset-requests-day", "33011.382867"),
            ("x-ratelimit-limit-tokens-minute", "60000"), ("x-ratelimit-remaining-tokens-minute", "59000"),
            ("x-ratelimit-reset-tokens-minute", "11.382867"));
        Assert.Equal((null, 60_000, 59_000), (limits.RequestLimit, limits.TokenLimit, limits.TokensLeft));
        Assert.Equal(11.38, limits.TokenReset!.Value.TotalSeconds, 2);
        Assert.Null(limits.Exhausted);
    }

    [Theory]
    // Cerebras
    [InlineData(
        "requests per day", 33_011, "x-ratelimit-remaining-requests-day: 0", "x-ratelimit-reset-requests-day: 33011",
        "x-ratelimit-remaining-tokens-minute: 100", "x-ratelimit-reset-tokens-minute: 50")]
    // OpenRouter: https://openrouter.ai/docs/api/reference/limits
    [InlineData("requests", 43_200, "X-RateLimit-Limit: 50", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767657600000")]
    // OpenAI, Groq; as Unix time, as an ISO date
    [InlineData(
        "tokens", 6, "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6s", "x-ratelimit-remaining-requests: 3",
        "x-ratelimit-reset-requests: 9s")]
    [InlineData(
        "requests", 2, "x-ratelimit-limit-requests: 20", "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1767614402")]
    [InlineData(
        "requests", 2, "x-ratelimit-limit-requests: 20", "x-ratelimit-remaining-requests: 0",
        "x-ratelimit-reset-requests: 2026-01-05T12:00:02.000Z")]
    [InlineData("tokens usage based", 9, "x-ratelimit-remaining-tokens_usage_based: 0", "x-ratelimit-reset-tokens_usage_based: 9s")]
    // Mistral counts tokens there; Kong names the time last.
    [InlineData("tokens", 30, "ratelimitbysize-limit: 500000", "ratelimitbysize-remaining: 0", "ratelimitbysize-reset: 30")]
    [InlineData("tokens", 30, "ratelimitbysize-remaining: 0", "x-ratelimitbysize-remaining-month: 900", "ratelimitbysize-reset: 30")]
    // Anthropic: https://docs.anthropic.com/en/api/rate-limits
    [InlineData(
        "input tokens", 20, "anthropic-ratelimit-input-tokens-remaining: 0",
        "anthropic-ratelimit-input-tokens-reset: 2026-01-05T12:00:20Z", "anthropic-ratelimit-requests-remaining: 5")]
    // Together, Fireworks
    [InlineData("tokens", 1, "x-tokenlimit-remaining: 0", "x-tokenlimit-reset: 1")]
    [InlineData("tokens prompt", 5, "x-ratelimit-remaining-tokens-prompt: 0", "x-ratelimit-reset-tokens-prompt: 5")]
    // Connecteam's order
    [InlineData("requests per minute", 60, "x-ratelimit-minute-remaining: 0", "x-ratelimit-minute-reset: 1767614460")]
    // Drafts of the IETF
    [InlineData("requests", 30, "RateLimit: limit=100, remaining=0, reset=30")]
    [InlineData("requests", 30, "RateLimit: \"default\";r=0;t=30")]
    [InlineData("requests", 30, "ratelimit-limit: 100, 100;w=60", "ratelimit-remaining: 0", "ratelimit-reset: 30")]
    // What resets last of what ran out
    [InlineData(
        "requests", 60, "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1m", "x-ratelimit-remaining-tokens: 0",
        "x-ratelimit-reset-tokens: 5s")]
    public void What_ran_out_is_there_again_when_its_own_header_says_so(string limit, double seconds, params string[] headers)
    {
        var exhausted =
            Read([.. headers.Select(header => (header[..header.IndexOf(':')], (string?)header[(header.IndexOf(':') + 1)..]))]).Exhausted;
        Assert.NotNull(exhausted);
        Assert.Equal((Math.Round(seconds), Words(limit)), (Math.Round(exhausted.Wait!.Value.TotalSeconds), Words(exhausted.Limit!)));
        static string Words(string text) => string.Join(' ', text.Split(' ').Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(7.0, "x-retry-after: 7")]
    [InlineData(1.5, "X-Retry-After-Ms: 1500")]
    [InlineData(7.0, "x-ratelimit-retry-after: 7s")]
    [InlineData(7.0, "x-retry-after-seconds: 7")]
    [InlineData(3.0, "Retry-After: 3", "x-retry-after: 7")]
    [InlineData(null, "x-retry-after: soon", "x-no-retry-after-all: 5")]
    public void A_wait_under_a_name_of_the_providers_own_counts_where_the_standard_one_is_missing(double? seconds, params string[] headers) =>
        Assert.Equal(seconds, Read(Pairs(headers)).RetryAfter?.TotalSeconds);

    [Theory]
    [InlineData(5.0, "x-ratelimit-reset-after: 5")]
    [InlineData(5.0, "X-RateLimit-Reset: 1767614405", "X-RateLimit-Limit: 20")]
    [InlineData(2.0, "x-ratelimit-reset-requests: 2s", "x-ratelimit-reset-tokens: 1m")]
    [InlineData(60.0, "x-ratelimit-reset-requests: 2s", "x-ratelimit-remaining-requests: 3", "x-ratelimit-reset-tokens: 1m")]
    [InlineData(null, "x-ratelimit-reset-requests: 2s", "x-ratelimit-remaining-requests: 3")]
    [InlineData(null, "x-ratelimit-reset: 0")]
    [InlineData(9.0, "x-ratelimit-reset: 5", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 9")]
    [InlineData(1.0, "x-ratelimit-reset: 5", "Retry-After: 1")]
    public void A_reset_of_which_it_is_not_said_what_is_left_is_the_wait_of_a_429(double? seconds, params string[] headers)
    {
        var answer = new HttpAnswer { Status = 429, Limits = Read(Pairs(headers)), Started = Now };
        Assert.Equal(seconds, ThrottleNotice.Of(answer).Wait?.TotalSeconds);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(402)]
    public void Another_status_than_429_is_not_explained_by_such_a_reset(int status) =>
        Assert.Equal(
            ThrottleNotice.None,
            ThrottleNotice.Of(new HttpAnswer { Status = status, Limits = Read(("x-ratelimit-reset", "5")), Started = Now }));

    [Theory]
    // Azure: https://github.com/openai/openai-dotnet/issues/838
    [InlineData(
        "x-ratelimit-limit-requests: -1", "x-ratelimit-remaining-requests: -1", "x-ratelimit-limit-tokens: -1",
        "x-ratelimit-remaining-tokens: -1", "x-ratelimit-reset-requests: -1s", "x-ratelimit-reset-tokens:")]
    [InlineData(
        "x-ratelimit-limit-requests: 0", "x-ratelimit-remaining-requests: 0", "x-ratelimit-limit-tokens: 0",
        "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-requests: 0", "x-ratelimit-reset-tokens: 0")]
    // LiteLLM: https://github.com/BerriAI/litellm/issues/13898
    [InlineData(
        "x-ratelimit-limit-requests: 9223372036854775807", "x-ratelimit-remaining-requests: 9223372036854775806",
        "x-ratelimit-limit-tokens: 99999999999999999999", "x-ratelimit-remaining-tokens: 1", "x-ratelimit-reset-requests: 999999h0m0s")]
    [InlineData(
        "x-ratelimit-limit-requests: many", "x-ratelimit-remaining-requests: 1e3", "x-ratelimit-limit-tokens: NaN",
        "x-ratelimit-reset-tokens: later")]
    public void Negative_zero_huge_and_unreadable_numbers_limit_nothing(params string[] headers)
    {
        var limits = Read([.. headers.Select(header => (header[..header.IndexOf(':')], (string?)header[(header.IndexOf(':') + 1)..]))]);
        var learner = new QuotaLearner(default);
        var learned = learner.Learn(limits);
        Assert.Equal((double.NaN, double.NaN), (learned.Requests, learned.Tokens));
        Assert.Null(limits.Exhausted);
    }

    private static (string Name, string? Value)[] Pairs(string[] headers) =>
        [.. headers.Select(header => (header[..header.IndexOf(':')], (string?)header[(header.IndexOf(':') + 1)..]))];

    private static RateLimitHeaders Read(params (string Name, string? Value)[] headers)
    {
        using var answer = new HttpResponseMessage();
        foreach (var (name, value) in headers)
            if (value is not null)
                Assert.True(answer.Headers.TryAddWithoutValidation(name, value));
        return RateLimitHeaders.Read(answer.Headers, Now);
    }
}
