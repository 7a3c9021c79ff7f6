using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

/// <summary>Tests <see cref="ThrottleNotice"/>: waits and limits that are only in the body of a refusal.</summary>
public sealed class ReadingThrottleNotices
{
    private static readonly DateTimeOffset Now = new(2026, 1, 5, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    // Groq: https://github.com/continuedev/continue/issues/10920
    [InlineData(
        "Rate limit reached for model `llama-3.3-70b` in organization `org_x` service tier `on_demand` on tokens per day (TPD): "
            + "Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s. Need more tokens? Upgrade at "
            + "https://console.groq.com/settings/billing", 578.016, "tokens per day")]
    [InlineData(
        "Rate limit reached for model `gemma2-9b-it` on tokens per minute (TPM): Limit 15000, Used 11972, Requested 4351. Please "
            + "try again in 5.289s. Visit https://console.groq.com/docs/rate-limits", 5.289, "tokens per minute")]
    // OpenAI
    [InlineData(
        "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try "
            + "again in 20s.", 20.0, "requests per minute")]
    [InlineData(
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29990, Requested 20. Please try again in 20ms.", 0.02,
        "tokens per minute")]
    [InlineData(
        "Rate limit reached for gpt-4o on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.", 432.0,
        "requests per day")]
    [InlineData("Rate limit reached on images per min. Limit: 5 / 1min. Current: 6 / 1min", null, "images per minute")]
    // Azure: https://github.com/microsoft/copilot-camp/issues/551, https://github.com/jasonacox/TinyLLM/issues/17
    [InlineData("Rate limit is exceeded. Try again in 2 seconds.", 2.0, null)]
    [InlineData(
        "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. "
            + "Please retry after 86400 seconds.", 86_400.0, null)]
    // Gemini: https://github.com/browserbase/mcp-server-browserbase/issues/129
    [InlineData(
        "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: "
            + "generativelanguage.googleapis.com/x, limit: 4000000\nPlease retry in 47.434392449s.", 47.434, null)]
    [InlineData(
        "Quota exceeded for quota metric 'Gemini 2.5 Pro Requests' and limit 'Gemini 2.5 Pro Requests per\n day per user per "
            + "tier' of service 'x'", null, "requests per day")]
    // OpenRouter, Cerebras, Anthropic
    [InlineData(
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", null, "free models per day")]
    [InlineData("Rate limit exceeded: free-models-per-min. ", null, "free models per minute")]
    [InlineData("Tokens per minute limit exceeded - too many tokens processed.", null, "tokens per minute")]
    [InlineData(
        "This request would exceed your organization's rate limit of 40,000 input tokens per minute", null, "input tokens per minute")]
    [InlineData("Number of request tokens has exceeded your daily rate limit", null, "tokens per day")]
    // Gateways and servers
    [InlineData("Limit type: tokens. Current limit: 5000, Remaining: 0. Limit resets at: 2026-01-05 12:00:40 UTC", 40.0, null)]
    [InlineData("usage limit reached, resets at 1767614460", 60.0, null)]
    [InlineData("Please wait 1 hour and 2 minutes before the next call.", 3720.0, null)]
    [InlineData("You have reached your monthly limit. It resets on 2026-01-05T13:00:00Z.", 3600.0, "calls per month")]
    [InlineData("429: tpm limit: 5000 crossed, retry_after=3", 3.0, "tokens per minute")]
    [InlineData("Quota exceeded. Available again in about 3 minutes", 180.0, null)]
    [InlineData("Limit of 20 requests/min reached", null, "requests per minute")]
    // A number alone is in seconds.
    [InlineData("Too many requests, please retry in 5", 5.0, null)]
    [InlineData("Rate limited. Try again in 30.", 30.0, null)]
    [InlineData("Too many requests (retry after 2.5)", 2.5, null)]
    [InlineData("Please wait for 12, then call again", 12.0, null)]
    // A time of the day with its zone is the next one; one that has just passed is over.
    [InlineData("Quota used up. You can call it again at 14:05 UTC", 7500.0, null)]
    [InlineData("Limit resets at 2:05 PM (UTC).", 7500.0, null)]
    [InlineData("Not available until 14:05:30+02:00", 330.0, null)]
    [InlineData("Try again at 06:00 GMT", 64_800.0, null)]
    [InlineData("The limit resets at 11:59 UTC", 0.0, null)]
    public void A_text_says_how_long_and_what_for(string message, double? seconds, string? limit)
    {
        var text = JsonSerializer.Serialize(message);
        foreach (var body in (string[])[$$$"""{"error":{"message":{{{text}}},"code":429}}""", $$$"""[{"error":{"message":{{{text}}}}}]""", $$$"""{"error":{{{text}}}}""", message])
        {
            var notice = ThrottleNotice.Read(Encoding.UTF8.GetBytes(body), Now);
            Assert.Equal(limit, notice.Limit);
            Assert.Equal(seconds is null, notice.Wait is null);
            Assert.Equal(seconds ?? 0, notice.Wait?.TotalSeconds ?? 0, 0.01);
        }
    }

    [Theory]
    [InlineData("""[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}]}}]""", 36.0, "requests per day")]
    [InlineData(
        """{"error":{"code":429,"details":[{"quotaId":"GenerateContentPaidTierInputTokensPerModelPerMinute"},{"retryDelay":"47.4s"}]}}""",
        47.4, "input tokens per minute")]
    [InlineData(
        """{"error":{"message":"Rate limit exceeded: free-models-per-day","code":429,"metadata":{"headers":"""
            + """{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1767657600000"},"provider_name":null}}}""",
        43_200.0, "free models per day")]
    [InlineData(
        """{"error":{"type":"usage_limit_reached","message":"The usage limit has been """
            + """reached","plan_type":"free","resets_at":1767614460,"resets_in_seconds":60}}""", 60.0, null)]
    [InlineData("""{"message":"API rate limit exceeded","retry_after":7}""", 7.0, null)]
    [InlineData("""{"error":{"message":"slow down","retry_after_ms":1500}}""", 1.5, null)]
    [InlineData(
        """{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"message\":\"on tokens per """
            + """day: wait\",\"details\":[{\"retryDelay\":\"9s\"}]}}"}}}""", 9.0, "tokens per day")]
    [InlineData("""{"error":{"message":"Rate limit","type":"requests","code":"rate_limit_exceeded"}}""", null, "requests")]
    public void A_field_says_so_too_wherever_it_is(string body, double? seconds, string? limit)
    {
        var notice = ThrottleNotice.Read(Encoding.UTF8.GetBytes(body), Now);
        Assert.Equal((limit, seconds), (notice.Limit, notice.Wait?.TotalSeconds));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("Too many requests, please try again later.")]
    [InlineData("Please wait. Limit 30000, Requested 5.")]
    [InlineData("""{"error":{"message":"retry in -5 seconds","retry_after":-1,"details":[{"retryDelay":"soon"}]}}""")]
    [InlineData("""{"error":{"message":"half \ud83d","retry_after":null}}""")]
    [InlineData("<!DOCTYPE html><title>Access denied | x used Cloudflare to restrict access</title>error code: 1015")]
    [InlineData("Try again in 5 months, persons per dayroom")]
    [InlineData("Available again at 5.")]
    [InlineData("Please retry after 3 failures, or wait: 2 of 5 slots are busy")]
    [InlineData("Try again at 14:05")]
    [InlineData("Try again at 27:05 UTC")]
    [InlineData("retry in 5xx, until 1,000,000")]
    public void Anything_else_says_nothing(string body) =>
        Assert.Equal(ThrottleNotice.None, ThrottleNotice.Read(Encoding.UTF8.GetBytes(body), Now));

    [Fact]
    public void No_body_takes_long_or_fails()
    {
        var random = new Random(1);
        foreach (var body in (string[])[new string('[', 30_000), new string('1', 30_000), string.Concat(Enumerable.Repeat("retry in 1 ", 3000)), string.Concat(Enumerable.Repeat("until in at ", 2500)), string.Concat(Enumerable.Repeat("1h,", 10_000)), "{\"a\":\"" + new string('{', 30_000) + "\"}"])
            _ = ThrottleNotice.Read(Encoding.UTF8.GetBytes(body), Now);
        for (var n = 0; n < 2000; n++)
        {
            var bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            _ = ThrottleNotice.Read(bytes, Now);
        }
    }

    [Fact]
    public void The_headers_come_before_the_body_and_Retry_After_before_both()
    {
        var body = """{"error":{"message":"on tokens per day (TPD). Please try again in 9m.","code":"rate_limit_exceeded"}}"""u8.ToArray();
        var answer = new HttpAnswer { Status = 429, Body = body, Started = Now };
        Assert.Equal(new ThrottleNotice(TimeSpan.FromMinutes(9), "tokens per day"), ThrottleNotice.Of(answer));
        answer = answer with { Limits = new RateLimitHeaders { RequestsLeft = 0, RequestReset = TimeSpan.FromSeconds(5) } };
        Assert.Equal(new ThrottleNotice(TimeSpan.FromSeconds(5), "tokens per day"), ThrottleNotice.Of(answer));
        answer = answer with { Limits = answer.Limits with { RetryAfter = TimeSpan.FromSeconds(1) } };
        Assert.Equal(TimeSpan.FromSeconds(1), ThrottleNotice.Of(answer).Wait);
    }
}
