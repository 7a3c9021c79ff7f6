namespace LlmPipeline.Tests;

public sealed class ReadingRateLimitHeaders
{
    private static readonly DateTimeOffset Now = new(2026, 1, 5, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("1500", "9", 1.5)]
    [InlineData(null, "3", 3)]
    [InlineData(null, "0.25", 0.25)]
    [InlineData(null, "Mon, 05 Jan 2026 12:00:20 GMT", 20)]
    [InlineData(null, "Mon, 05 Jan 2026 11:00:00 GMT", 0)]
    [InlineData("soon", "2", 2)]
    [InlineData(null, "999999999999", 86400)]
    public void The_wait_is_read_as_milliseconds_seconds_or_a_date(string? milliseconds, string? retryAfter, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), RateLimitHeaders.Wait(milliseconds, retryAfter, Now));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("NaN")]
    [InlineData("soon")]
    [InlineData("1e400")]
    public void A_wait_that_cannot_be_read_counts_as_not_said(string? retryAfter) => Assert.Null(RateLimitHeaders.Wait(null, retryAfter, Now));

    [Theory]
    [InlineData("1s", 1)]
    [InlineData("6m0s", 360)]
    [InlineData("1h2m3.5s", 3723.5)]
    [InlineData("120ms", 0.12)]
    [InlineData("1m30ms", 60.03)]
    [InlineData("250µs", 0.00025)]
    [InlineData("7", 7)]
    public void Durations_are_read_as_Go_writes_them(string text, double seconds) =>
        Assert.Equal(seconds, RateLimitHeaders.Duration(text)!.Value.TotalSeconds, 6);

    [Theory]
    [InlineData("1s later")]
    [InlineData("s")]
    [InlineData("1d")]
    [InlineData("")]
    public void Other_durations_count_as_not_said(string text) => Assert.Null(RateLimitHeaders.Duration(text));

    [Theory]
    [InlineData("Mon, 05 Jan 2026 09:00:00 GMT", 20)]
    [InlineData(null, 0)]
    public void A_date_is_read_by_the_servers_own_clock(string? date, double seconds)
    {
        using var answer = new HttpResponseMessage();
        answer.Headers.TryAddWithoutValidation("Retry-After", "Mon, 05 Jan 2026 09:00:20 GMT");
        if (date is not null)
            answer.Headers.TryAddWithoutValidation("Date", date);

        Assert.Equal(TimeSpan.FromSeconds(seconds), RateLimitHeaders.Read(answer.Headers, Now).RetryAfter);
    }

    [Fact]
    public void Limits_and_what_is_left_are_read_from_an_answer()
    {
        using var answer = new HttpResponseMessage();
        answer.Headers.TryAddWithoutValidation("x-ratelimit-limit-requests", "500");
        answer.Headers.TryAddWithoutValidation("X-RateLimit-Remaining-Tokens", "29,000");
        answer.Headers.TryAddWithoutValidation("x-ratelimit-remaining-requests", "499");
        answer.Headers.TryAddWithoutValidation("x-ratelimit-reset-requests", "120ms");
        answer.Headers.TryAddWithoutValidation("Retry-After", "2");
        var limits = RateLimitHeaders.Read(answer.Headers, Now);
        Assert.Equal((500, 499, null), (limits.RequestLimit, limits.RequestsLeft, limits.TokensLeft));
        Assert.Equal((TimeSpan.FromMilliseconds(120), TimeSpan.FromSeconds(2)), (limits.RequestReset!.Value, limits.RetryAfter!.Value));
    }
}
