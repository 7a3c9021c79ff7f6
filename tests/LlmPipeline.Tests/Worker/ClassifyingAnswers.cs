using System.Security.Authentication;
using System.Text;
using Azure.Identity;
using Polly.Timeout;

namespace LlmPipeline.Tests;

public sealed class ClassifyingAnswers
{
    [Theory]
    [InlineData(200, """{"choices":[{"message":{"content":""},"finish_reason":"length"}]}""", "Completion")]
    [InlineData(201, " {\n \"choices\" : [{\"message\":{\"content\":\"x\"}}] }\r\n", "Completion")]
    [InlineData(200, """{"choices":[]}""", "Transient")]
    [InlineData(200, "", "Transient")]
    [InlineData(200, "[]", "Transient")]
    [InlineData(200, "\"text\"", "Transient")]
    [InlineData(200, "<html>busy</html>", "Transient")]
    [InlineData(200, """{"choices":[""", "Transient")]
    // An error inside is what it would be with its own status.
    [InlineData(200, """{"error":{"message":"Provider returned error","code":502}}""", "Transient")]
    [InlineData(200, """{"error":{"message":"Rate limit exceeded","code":429}}""", "Later")]
    [InlineData(200, """{"error":{"message":"too long","code":"context_length_exceeded"}}""", "Permanent")]
    [InlineData(200, """{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}""", "AccountFault")]
    // May go better next time.
    [InlineData(408, "", "Transient")]
    [InlineData(409, """{"error":{"message":"conflict"}}""", "Transient")]
    [InlineData(425, "", "Transient")]
    [InlineData(500, """{"error":{"message":"The server had an error","type":"server_error","code":null}}""", "Transient")]
    [InlineData(502, "<html>Bad Gateway</html>", "Transient")]
    [InlineData(503, """{"error":{"message":"overloaded"}}""", "Transient")]
    [InlineData(504, "", "Transient")]
    [InlineData(408, """{"error":{"code":"Timeout","message":"The operation was timeout."}}""", "Transient")]
    [InlineData(500, """{"error":{"code":"InternalServerError","message":"The service is temporarily unable to process your request. Please try again later."}}""", "Transient")]
    [InlineData(500, """{"object":"error","message":"EngineCore encountered an issue. See stack trace (above) for the root cause.","type":"InternalServerError","param":null,"code":500}""", "Transient")]
    [InlineData(500, """{"error":{"message":"llama runner process has terminated: exit status 2","type":"api_error","param":null,"code":null}}""", "Transient")]
    [InlineData(503, """{"error":{"message":"server busy, please try again.  maximum pending requests exceeded","type":"api_error","param":null,"code":null}}""", "Transient")]
    [InlineData(529, """{"error":{"type":"overloaded_error"}}""", "Transient")]
    // The provider asks to come later.
    [InlineData(429, """{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}""", "Later")]
    [InlineData(429, """{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded rate limit"}}""", "Later")]
    [InlineData(429, "", "Later")]
    [InlineData(429, """{"error":{"code":"429","message":"Requests to the Chat_Completion Operation under Azure OpenAI API have exceeded the utilization of the provisioned-managed deployment."}}""", "Later")]
    [InlineData(
        429,
        """[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please """
            + """retry in 36.1s.","status":"RESOURCE_EXHAUSTED"}}]""", "Later")]
    // The row's own fault.
    [InlineData(400, """{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""", "Permanent")]
    [InlineData(400, """{"error":{"code":"content_filter","message":"filtered","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}""", "Permanent")]
    [InlineData(400, """{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}""", "Permanent")]
    [InlineData(
        400,
        """{"error":{"code":"OperationNotSupported","message":"The chatCompletion operation does not work with the specified """
            + """model, text-embedding-3-small."}}""", "Unexplained")]
    [InlineData(400, """{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}""", "Permanent")]
    [InlineData(
        400,
        """{"error":{"message":"[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required'}]","type":"Bad """
            + """Request","param":null,"code":400}}""", "Unexplained")]
    [InlineData(
        400,
        """{"error":{"message":"invalid character 'x' looking for beginning of """
            + """value","type":"invalid_request_error","param":null,"code":null}}""", "Unexplained")]
    [InlineData(403, """{"error":{"code":"content_policy_violation","message":"no"}}""", "Permanent")]
    [InlineData(404, """{"error":{"message":"No response found with id 'resp_1'","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}""", "Permanent")]
    [InlineData(404, """{"detail":"Not Found"}""", "Unexplained")]
    [InlineData(404, "404 page not found", "Unexplained")]
    [InlineData(404, """{"error":{"code":"404","message":"Resource not found"}}""", "Unexplained")]
    [InlineData(405, "", "Unexplained")]
    [InlineData(413, "<html>", "Permanent")]
    [InlineData(422, """{"detail":[{"loc":["body","messages"],"msg":"field required"}]}""", "Unexplained")]
    [InlineData(400, """{"error":{"message":"the model in 'my dog does not exist' is odd","code":null}}""", "Unexplained")]
    // The key, the account; a refusal of the row, the model or the path.
    [InlineData(
        401, """{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}""",
        "AccountFault")]
    [InlineData(401, """{"statusCode":401,"message":"Access denied due to invalid subscription key"}""", "AccountFault")]
    [InlineData(401, "Unauthorized", "AccountFault")]
    [InlineData(401, """{"error":"Unauthorized"}""", "AccountFault")]
    [InlineData(
        401, """{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}""",
        "AccountFault")]
    [InlineData(403, """{"error":{"code":"403","message":"Access denied due to Virtual Network/Firewall rules."}}""", "Refused")]
    [InlineData(402, """{"error":{"message":"Insufficient Balance"}}""", "AccountFault")]
    [InlineData(403, """{"error":{"code":"unsupported_country_region_territory","message":"Country not supported"}}""", "AccountFault")]
    [InlineData(
        429,
        """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""",
        "AccountFault")]
    [InlineData(
        400,
        """{"error":{"message":"Billing hard limit has been """
            + """reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}""", "AccountFault")]
    [InlineData(301, "", "Refused")]
    [InlineData(307, "", "Refused")]
    [InlineData(
        429,
        """{"error":{"message":"Your account is suspended, please check your plan and billing """
            + """details","type":"exceeded_current_quota_error"}}""", "AccountFault")]
    // The deployment does not have the model.
    [InlineData(404, """{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}""", "ModelFault")]
    [InlineData(403, """{"error":{"message":"Project does not have access to model x","type":"invalid_request_error","code":"model_not_found"}}""", "ModelFault")]
    [InlineData(404, """{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}""", "ModelFault")]
    [InlineData(404, """{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}""", "ModelFault")]
    [InlineData(404, """{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}""", "ModelFault")]
    [InlineData(404, """{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error","param":null,"code":null}}""", "ModelFault")]
    [InlineData(404, """{"error":"model 'x' not found, try pulling it first"}""", "ModelFault")]
    [InlineData(400, """{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}""", "ModelFault")]
    public void An_answer_is_a_row_of_the_table(int status, string body, string kind) =>
        Assert.Equal(kind, Outcomes.Classify(Answer(status, body)).Kind.ToString());

    [Fact]
    public void A_503_with_Retry_After_means_later_and_without_it_means_down()
    {
        var later = Outcomes.Classify(Answer(503, "", TimeSpan.FromSeconds(3)));
        Assert.Equal((OutcomeKind.Later, TimeSpan.FromSeconds(3)), (later.Kind, later.NotBefore!.Value));
        Assert.Equal(OutcomeKind.Transient, Outcomes.Classify(Answer(503, "")).Kind);
    }

    [Fact]
    public void A_429_without_Retry_After_takes_the_reset_of_what_ran_out()
    {
        var answer = Answer(429, "") with { Limits = new RateLimitHeaders { TokensLeft = 0, TokenReset = TimeSpan.FromSeconds(6), RequestsLeft = 3, RequestReset = TimeSpan.FromSeconds(1) } };
        Assert.Equal(TimeSpan.FromSeconds(6), Outcomes.Classify(answer).NotBefore);
    }

    [Fact]
    public void A_wait_that_is_only_in_the_text_counts_and_the_limit_is_named()
    {
        var found = Outcomes.Classify(
            Answer(
                429,
                """{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. """
                    + """Please try again in 9m38.016s.","type":"tokens","code":"rate_limit_exceeded"}}"""));
        Assert.Equal(
            (OutcomeKind.Later, TimeSpan.FromSeconds(578.016), "tokens per day", "HTTP 429 TooManyRequests: tokens per day"),
            (found.Kind, found.NotBefore!.Value, found.Limit, found.Message));
        found = Outcomes.Classify(Answer(503, """{"error":{"message":"overloaded","details":[{"retryDelay":"36s"}]}}"""));
        Assert.Equal((OutcomeKind.Later, TimeSpan.FromSeconds(36)), (found.Kind, found.NotBefore!.Value));
        Assert.Equal(TimeSpan.FromSeconds(20), found.Bounded(TimeSpan.FromSeconds(20)).NotBefore);
    }

    [Fact]
    public void A_request_larger_than_the_limit_closes_no_gate()
    {
        var found = Outcomes.Classify(
            Answer(
                429,
                """{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested """
                    + """45411.","type":"tokens","code":"rate_limit_exceeded"}}""",
                TimeSpan.FromSeconds(1)));
        Assert.Equal((OutcomeKind.Transient, "rate_limit_exceeded"), KindAndCode(found));
        Assert.Contains("Requested 45411", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_provisioned_Azure_deployment_says_in_milliseconds_when_to_come_again()
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("retry-after-ms", "1417");
        response.Headers.TryAddWithoutValidation("Retry-After", "2");
        var answer = Answer(429, "") with { Limits = RateLimitHeaders.Read(response.Headers, DateTimeOffset.UnixEpoch) };
        Assert.Equal((OutcomeKind.Later, TimeSpan.FromMilliseconds(1417)), (Outcomes.Classify(answer).Kind, Outcomes.Classify(answer).NotBefore!.Value));
    }

    [Theory]
    [InlineData(502, true)]
    [InlineData(503, true)]
    [InlineData(500, false)]
    [InlineData(504, false)]
    public void Who_was_not_there_has_cost_nothing(int status, bool isDown) => Assert.Equal(isDown, Outcomes.Classify(Answer(status, "")).IsDown);

    [Fact]
    public void A_500_keeps_the_providers_word_on_when_to_come_again() =>
        Assert.Equal(TimeSpan.FromSeconds(9), Outcomes.Classify(Answer(500, "", TimeSpan.FromSeconds(9))).NotBefore);

    [Fact]
    public void A_redirect_says_where_to_without_its_query()
    {
        var found = Outcomes.Classify(Answer(301, "") with { Location = new Uri("https://other.example/v1/x?token=secret") });
        Assert.Contains("https://other.example/v1/x:", found.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_permanent_errors_message_does_not_repeat_what_may_be_the_prompt() =>
        Assert.DoesNotContain("my dog", Outcomes.Classify(Answer(400, """{"error":{"message":"cannot take 'my dog'","code":"bad"}}""")).Message, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Failures))]
    public void A_call_without_an_answer_is_told_by_what_stood_in_its_way(Exception failure, string kind, string code)
    {
        var found = Outcomes.Classify(new HttpAnswer { Failure = failure });
        Assert.Equal((kind, code), (found.Kind.ToString(), found.Code));
    }

    public static TheoryData<Exception, string, string> Failures() => new()
    {
        { new HttpRequestException(HttpRequestError.ConnectionError, "refused"), "Transient", "connection_error" },
        { new HttpRequestException(HttpRequestError.NameResolutionError, "no host"), "Transient", "connection_error" },
        { new HttpRequestException(HttpRequestError.ResponseEnded, "cut"), "Transient", "connection_error" },
        { new HttpRequestException(HttpRequestError.SecureConnectionError, "tls", new IOException("reset")), "Transient", "tls_error" },
        { new TaskCanceledException("connect", new TimeoutException()), "Transient", "connection_error" },
        { new IOException("cut"), "Transient", "connection_error" },
        { new TimeoutRejectedException("late", TimeSpan.FromSeconds(2)), "Transient", "request_timeout" },
        // Whether it is the deployment's fault, a second connection decides.
        { new HttpRequestException(HttpRequestError.SecureConnectionError, "tls", new AuthenticationException("UntrustedRoot")), "Transient", "tls_error" },
        { new TlsException(new TlsFailure(true, "UntrustedRoot"), true, new IOException()), "DeploymentFault", "tls_error" },
        { new TlsException(new TlsFailure(true, "UntrustedRoot"), false, new IOException()), "Transient", "tls_error" },
        { new AuthenticationFailedException("no credential"), "DeploymentFault", "identity_error" },
        { new AuthenticationFailedException("away", new Azure.RequestFailedException(0, "no network")), "Transient", "connection_error" },
        { new QuotaClosedException(TimeSpan.FromSeconds(1)), "NotSent", "quota_closed" },
        { new CircuitOpenException(TimeSpan.FromSeconds(1)), "NotSent", "circuit_open" },
    };

    [Theory]
    // AWS sends throttling as 400, Google as 403; overload comes as 400 too. A row must not fail for it.
    [InlineData(400, """{"__type":"ThrottlingException","message":"Too many requests, please wait before trying again."}""", "Later")]
    [InlineData(400, """{"error":{"message":"x","code":"rate_limit_exceeded"}}""", "Later")]
    [InlineData(403, """{"error":{"message":"User Rate Limit Exceeded","code":403,"errors":[{"reason":"userRateLimitExceeded"}]}}""", "Later")]
    [InlineData(403, """{"error":{"message":"x","code":"rateLimitExceeded"}}""", "Later")]
    [InlineData(420, """{"error":{"message":"请求过于频繁"}}""", "Later")]
    [InlineData(400, """{"error":{"message":"Server overloaded, please try again later","code":"server_overloaded"}}""", "Transient")]
    [InlineData(400, """{"error":{"message":"generate a rate table","code":"bad_request"}}""", "Unexplained")]
    [InlineData(400, """{"error":{"message":"maximum context length is 8192 tokens","code":"context_length_exceeded"}}""", "Permanent")]
    // Groq, https://github.com/elizaOS/eliza/issues/4040: the code of a limit, but no waiting helps.
    [InlineData(413, """{"error":{"message":"Request too large: Limit 6000, Requested 6294","type":"tokens","code":"rate_limit_exceeded"}}""", "Permanent")]
    [InlineData(400, """{"error":{"message":"Request too large: Limit 6000, Requested 6294","code":"rate_limit_exceeded"}}""", "Unexplained")]
    // https://github.com/MiniMax-AI/MiniMax-M2/issues/62, https://docs.bigmodel.cn/cn/faq/api-code
    [InlineData(500, """{"type":"error","error":{"type":"api_error","message":"insufficient balance (1008)"}}""", "AccountFault")]
    [InlineData(500, """{"error":{"message":"internal error","type":"api_error"}}""", "Transient")]
    [InlineData(403, """{"error":{"code":"1112","message":"您的账户已被锁定，请联系客服解锁。"}}""", "AccountFault")]
    [InlineData(400, """{"error":{"code":"1211","message":"模型不存在，请检查模型代码。"}}""", "ModelFault")]
    [InlineData(400, """{"error":{"code":"1261","message":"Prompt 超长"}}""", "Permanent")]
    [InlineData(400, """{"error":{"code":"1301","message":"系统检测到输入或生成内容可能包含不安全或敏感内容"}}""", "Permanent")]
    [InlineData(400, """{"error":{"message":"The model `foo` has been decommissioned and is no longer supported.","code":"model_decommissioned"}}""", "ModelFault")]
    [InlineData(404, """{"error":{"message":"No endpoints found for foo/bar.","code":404}}""", "ModelFault")]
    [InlineData(404, """{"error":{"message":"No endpoints found for requests of this kind","code":404}}""", "Unexplained")]
    [InlineData(503, """{"error":{"message":"No available channel for model foo under group default","code":"model_not_found"}}""", "ModelFault")]
    // https://docs.litellm.ai/docs/proxy/virtual_keys: the key is right, and other models are served.
    [InlineData(401, """{"error":{"message":"key not allowed to access model","type":"key_model_access_denied","code":"401"}}""", "ModelFault")]
    [InlineData(400, """{"error":{"message":"Budget has been exceeded! Current cost: 1, Max budget: 0.5","type":"budget_exceeded","code":"400"}}""", "AccountFault")]
    [InlineData(400, """{"error":{"message":"per request limit exceeded: 45411 > 30000"}}""", "Permanent")]
    [InlineData(400, """{"error":{"message":"The prompt alone has 91,000 input tokens"}}""", "Permanent")]
    [InlineData(400, """{"error":{"message":"max_tokens 32000 exceeds the limit of 8192 of this tier"}}""", "Unexplained")]
    [InlineData(429, """{"error":{"message":"per request limit exceeded: 45411 > 30000"}}""", "Transient")]
    [InlineData(429, """{"error":{"message":"allowance_used"}}""", "AccountFault")]
    [InlineData(429, """{"error":"budget_exceeded"}""", "AccountFault")]
    [InlineData(429, """{"detail":"The monthly budget is used up"}""", "AccountFault")]
    [InlineData(429, """{"error":{"message":"budget_exceeded for today, retry in 3600"}}""", "Later")]
    [InlineData(403, """{"message":"invalid api token"}""", "AccountFault")]
    // Half of a character is no reason not to read the rest.
    [InlineData(429, """{"error":{"message":"half \ud83d, insufficient balance","x":1}}""", "AccountFault")]
    [InlineData(404, """{"\ud83d":1,"error":{"message":"half \ud83d","code":"model_not_found"}}""", "ModelFault")]
    public void What_a_status_hides_is_found_in_code_and_words(int status, string body, string kind) =>
        Assert.Equal(kind, Outcomes.Classify(Answer(status, body), DialectTable.Empty).Kind.ToString());

    private static (OutcomeKind, string?) KindAndCode(Classified found) => (found.Kind, found.Code);

    private static HttpAnswer Answer(int status, string body, TimeSpan? retryAfter = null)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        return new HttpAnswer { Status = status, Body = bytes, Parsed = AnswerBody.Read(bytes), Limits = new RateLimitHeaders { RetryAfter = retryAfter } };
    }
}
