namespace LlmPipeline.Tests;

/// <summary>
/// Tests <see cref="OversizedRequest"/> and <see cref="SpentAccount"/>: refusals that no waiting helps, told as a rate limit.
/// </summary>
public sealed class RecognisingRefusals
{
    [Theory]
    // OpenAI: https://github.com/vanderschaarlab/climb/issues/1; Groq with 413: https://github.com/elizaOS/eliza/issues/4040
    [InlineData(
        "rate_limit_exceeded", "tokens",
        "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 45411. The input or "
            + "output tokens must be reduced in order to run successfully.")]
    [InlineData(
        "rate_limit_exceeded", "tokens",
        "Request too large for model `llama-3.1-8b-instant` in organization `x` service tier `on_demand` on tokens per minute "
            + "(TPM): Limit 6000, Requested 6294, please reduce your message size and try again.")]
    // https://github.com/danielmiessler/Fabric/issues/364
    [InlineData(
        "rate_limit_exceeded", "tokens",
        "Rate limit reached for model `llama3-70b-8192` on tokens per minute (TPM): Limit 7000, Used 0, Requested ~12903. Please "
            + "try again in 50.597142857s.")]
    [InlineData(null, null, "limit: 30,000, requested: 45,411")]
    // GitHub Models and Azure's model inference: https://github.com/RooCodeInc/Roo-Code/issues/3344
    [InlineData("tokens_limit_reached", null, "Request body too large for gpt-4 model. Max size: 8000 tokens.")]
    [InlineData(null, "request_too_large", "Request exceeds the maximum allowed number of bytes.")]
    [InlineData(null, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")]
    [InlineData("context_length_exceeded", null, null)]
    [InlineData("429", null, "max_tokens 32000 exceeds the limit of 8192 of this tier")]
    [InlineData(null, null, "per request limit exceeded: 45411 > 30000")]
    [InlineData(null, null, "Exceeded the per-request token limit")]
    [InlineData(null, null, "Limit of 30,000 tokens per minute. The prompt alone has 91,000 input tokens")]
    [InlineData(null, null, "Your prompt contains 91,000 tokens, but at most 30,000 tokens are allowed")]
    [InlineData(null, null, "The limit is 30000 tokens, this request needs 45411 tokens.")]
    public void A_request_larger_than_a_limit_is_one_that_no_waiting_helps(string? code, string? type, string? message) =>
        Assert.True(OversizedRequest.IsReported(code, type, message));

    [Theory]
    [InlineData(
        "rate_limit_exceeded", "tokens",
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.")]
    [InlineData("rate_limit_exceeded", "requests", "Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1.")]
    [InlineData(
        "429", null,
        "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. "
            + "Please retry after 86400 seconds.")]
    // Anthropic advises to send less; whether this request alone is too large it does not say.
    [InlineData(
        null, "rate_limit_error",
        "This request would exceed your organization's rate limit of 40,000 input tokens per minute. Please reduce the prompt "
            + "length or the maximum tokens requested per minute, or try again later.")]
    // https://github.com/pollinations/pollinations/issues/6260
    [InlineData(
        "RATE_LIMITED", null, "Your request exceeds the maximum usage size allowed during peak load. Please retry after 20 seconds.")]
    [InlineData("429", null, "Request rate is too large")]
    [InlineData("429", null, "Your request rate is too large. Maximum tokens per minute exceeds the limit.")]
    [InlineData(null, null, "Too many requests")]
    [InlineData(null, null, null)]
    [InlineData(null, null, "rate limit exceeded: 61 > 60 requests per minute")]
    [InlineData(null, null, "The limit is 30000 tokens per minute, this request needs 2000 tokens.")]
    [InlineData(null, null, "At most 20 requests per minute; your prompt has 500 tokens")]
    public void A_limit_that_is_used_up_is_waited_for(string? code, string? type, string? message) =>
        Assert.False(OversizedRequest.IsReported(code, type, message));

    [Theory]
    [InlineData(
        429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details.")]
    // Moonshot: https://github.com/continuedev/continue/issues/11443
    [InlineData(429, null, "exceeded_current_quota_error", "Your account is suspended, please check your plan and billing details")]
    [InlineData(
        429, null, null,
        "Your account org-x <ak-x> is suspended due to insufficient balance, please recharge your account or check your plan and "
            + "billing details")]
    // DeepSeek: https://github.com/continuedev/continue/issues/9375
    [InlineData(402, null, "unknown_error", "Insufficient Balance")]
    [InlineData(429, "1113", null, "Your account is in arrears. Please recharge it and try again.")]
    [InlineData(429, "1113", null, "您的账户已欠费，请充值后重试。")]
    [InlineData(400, "Arrearage", "Arrearage", "Access denied, please make sure your account is in good standing.")]
    [InlineData(
        429, null, null,
        "Your team has either used all available credits or reached its monthly spending limit. To continue, purchase more credits")]
    [InlineData(429, "billing_hard_limit_reached", null, null)]
    [InlineData(403, "AccountOverdueError", null, null)]
    [InlineData(402, null, null, "Your credit balance is too low to access the API.")]
    // A code that is only in the text.
    [InlineData(429, null, null, "allowance_used")]
    [InlineData(429, null, null, "request refused (budget_exceeded)")]
    [InlineData(429, null, null, "429 insufficient_quota: see the console")]
    [InlineData(429, null, null, "Your monthly allowance is used up")]
    [InlineData(429, null, null, "The budget of this key has been exceeded.")]
    [InlineData(429, "allowance_used", null, null)]
    [InlineData(429, null, "budget_exceeded", null)]
    public void An_account_without_credit_is_one_that_no_waiting_helps(int status, string? code, string? type, string? message) =>
        Assert.True(SpentAccount.IsReported(status, code, type, message, Notice(message)));

    [Theory]
    // Gemini says so of a mere minute: https://github.com/browserbase/mcp-server-browserbase/issues/129
    [InlineData(429, "429", null, "You exceeded your current quota, please check your plan and billing details. Please retry in 36.1s.")]
    [InlineData(
        429, "rate_limit_exceeded", "tokens",
        "Rate limit reached on tokens per day (TPD): Limit 100000, Used 97050. Need more tokens? Upgrade at "
            + "https://console.groq.com/settings/billing")]
    [InlineData(429, "429", null, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day")]
    [InlineData(
        402, "402", null,
        "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 12000.")]
    [InlineData(429, "rate_limit_exceeded", "requests", "Rate limit reached")]
    [InlineData(400, "invalid_request_error", null, "the word billing in a prompt, and an insufficient balance too")]
    [InlineData(429, "load_balancer_error", null, "no healthy upstream")]
    [InlineData(429, null, null, "budget_exceeded for today, retry in 3600s")]
    [InlineData(429, null, null, "token allowance used up: 60000 per minute")]
    [InlineData(429, null, null, "see https://example.org/billing_limits and the load_balancer_state")]
    [InlineData(400, "thinking_budget_exceeded", null, null)]
    [InlineData(400, null, null, "budget_exceeded")]
    [InlineData(429, null, null, null)]
    public void A_text_that_mentions_billing_is_believed_only_where_no_limit_explains_the_refusal(
        int status, string? code, string? type, string? message) =>
        Assert.False(SpentAccount.IsReported(status, code, type, message, Notice(message)));

    private static ThrottleNotice Notice(string? message) =>
        ThrottleNotice.Read(System.Text.Encoding.UTF8.GetBytes(message ?? ""), DateTimeOffset.UnixEpoch);
}
