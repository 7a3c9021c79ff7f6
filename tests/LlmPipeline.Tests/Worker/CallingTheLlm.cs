using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmPipeline.Tests;

public sealed class CallingTheLlm
{
    // White space, number forms, a field twice, fields that nobody has heard of, escapes and their plain forms.
    private const string OddBody = "\r\n{ \"model\" : \"m\",\t\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9é\\/ 🚀\"}], \"temperature\":1.0E+0,\"x_new\":{\"a\":[1.10,-0,1e400]},\"x\":1,\"x\":2,\"n\":null }\n ";
    private const string OddAnswer =
        "{\r\n  \"choices\" : [ {\"message\":{\"content\":\"x\"}} ],\n  \"weird\": 1.00,\n  "
            + "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":5}\n}\n";

    [Fact]
    public async Task A_request_goes_out_and_its_answer_comes_back_byte_for_byte()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, OddAnswer, "x-request-id: req-9"));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(OddBody) with { Id = "b-é.1" }, 2, default);

        Assert.Equal(CallVerdict.Completed, outcome.Verdict);
        Assert.Equal(OddAnswer, outcome.Text());
        Assert.Equal((200, "req-9", "one", 3), (outcome.StatusCode!.Value, outcome.RequestId, outcome.Deployment, outcome.Attempts));
        Assert.Equal(new TokenUsage(11, 0, 5), outcome.Usage);
        var request = Assert.Single(endpoint.Requests);
        Assert.Equal(OddBody, request.Text);
        Assert.Equal("/v1/chat/completions", request.Target);
        Assert.Equal(("Bearer sk-secret", "application/json", "b-é.1"), (request.Headers["Authorization"], request.Headers["Content-Type"], request.Headers["x-llmpipeline-job-id"]));
    }

    [Theory]
    [InlineData("/v1/embeddings")]
    [InlineData("/v1/responses")]
    [InlineData("/v1/completions")]
    public async Task A_jobs_path_goes_behind_the_base_URL(string path)
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var at = CallerHouse.At(endpoint);
        at.Endpoint = endpoint.Url + "/api/v1/";
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));
        await caller.CallAsync(CallerHouse.Request(path: path, maxAttempts: 1), 0, default);
        Assert.Equal("/api" + path, Assert.Single(endpoint.Requests).Target);
    }

    [Theory]
    [InlineData("/v1/../admin")]
    [InlineData("/v2/chat/completions")]
    [InlineData("/v1/chat?x=1")]
    [InlineData("http://elsewhere/v1/x")]
    [InlineData("/v1")]
    [InlineData("")]
    public async Task A_path_that_is_none_of_the_API_fails_and_is_not_sent(string path)
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(path: path), 0, default);
        Assert.Equal((CallVerdict.Failed, "invalid_url"), (outcome.Verdict, outcome.ErrorCode));
        Assert.Empty(endpoint.Requests);
    }

    [Theory]
    [InlineData("sk-secret", "HTTP 401 Unauthorized: wrong key *** given")]
    [InlineData("e", "HTTP 401 Unauthorized: wrong key e given")]
    public async Task A_key_that_the_endpoint_quotes_is_in_no_message(string key, string told)
    {
        await using var endpoint = new RawEndpoint(
            (_, _) => new RawReply(401, $$$"""{"error":{"message":"wrong key {{{key}}} given","code":"a b\u2028c"}}"""));
        var at = CallerHouse.At(endpoint);
        at.ApiKey = key;
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);

        Assert.EndsWith(told, caller.BlockageOf(CallerHouse.Model)!.Reason, StringComparison.Ordinal);
        var status = Assert.Single(caller.Snapshot());
        Assert.Equal((told, told), (status.UnavailableReason, status.LastFailure));
        Assert.Equal("a_b_c", outcome.ErrorCode);
    }

    [Fact]
    public async Task Without_a_key_no_authorization_is_sent()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var at = CallerHouse.At(endpoint);
        at.ApiKey = null;
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));
        await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.DoesNotContain("Authorization", Assert.Single(endpoint.Requests).Headers.Keys);
    }

    [Fact]
    public async Task A_deployment_that_names_the_model_differently_gets_its_own_name_and_all_other_bytes()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint, alias: "org/M-7b")));
        await caller.CallAsync(CallerHouse.Request(OddBody), 0, default);
        Assert.Equal(OddBody.Replace("\"m\"", "\"org/M-7b\"", StringComparison.Ordinal), Assert.Single(endpoint.Requests).Text);
    }

    [Theory]
    [InlineData("/v1/chat/completions", "/openai/deployments/dep%201/chat/completions?api-version=2031-01-01-preview")]
    [InlineData("/v1/embeddings", "/openai/deployments/dep%201/embeddings?api-version=2031-01-01-preview")]
    [InlineData("/v1/responses", "/openai/responses?api-version=2031-01-01-preview")]
    public async Task Azure_gets_its_own_URLs_and_key_header(string path, string target)
    {
        await using var endpoint = new RawEndpoint((_, _) => path switch
        {
            "/v1/embeddings" => new RawReply(200, """{"data":[{"embedding":[1]}]}"""),
            "/v1/responses" => new RawReply(200, """{"output":[{"type":"message","content":[]}]}"""),
            _ => RawReply.Ok,
        });
        await using var caller = CallerHouse.Caller(CallerHouse.Options(new DeploymentOptions
        {
            Name = "az",
            Kind = DeploymentKind.AzureOpenAI,
            Endpoint = endpoint.Url,
            ApiKey = "azure-key",
            As = "dep 1",
            ApiVersion = "2031-01-01-preview",
        }));
        var outcome = await caller.CallAsync(CallerHouse.Request(path: path), 0, default);
        Assert.Equal(CallVerdict.Completed, outcome.Verdict);
        var request = Assert.Single(endpoint.Requests);
        Assert.Equal((target, "azure-key"), (request.Target, request.Headers["api-key"]));
        Assert.Equal("""{"model":"dep 1","messages":[]}""", request.Text);
    }

    [Fact]
    public async Task Ten_megabytes_go_both_ways()
    {
        var large = $$$"""{"model":"m","choices":[{"message":{"content":"{{{new string('y', 10_000_000)}}}"}}]}""";
        await using var endpoint = new RawEndpoint((request, _) => new RawReply(200, request.Text));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(large), 0, default);
        Assert.Equal(large, outcome.Text());
    }

    [Fact]
    public async Task A_permanent_error_fails_at_once_with_the_providers_own_body()
    {
        const string body = "{\n  \"error\": {\"message\": \"bad 'thing'\", \"code\": \"bad_thing\"}\n}";
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(400, body));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Failed, 400, "bad_thing", 1), (outcome.Verdict, outcome.StatusCode!.Value, outcome.ErrorCode, outcome.Attempts));
        Assert.Equal(body, outcome.Text());
        Assert.Single(endpoint.Requests);
    }

    [Fact]
    public async Task Every_kind_of_passing_fault_is_tried_again_and_charged()
    {
        RawReply[] faults = [
            new(500, "{}"),
            RawReply.Ok with { IsReset = true },
            RawReply.Ok with { IsCut = true },
            new(200, "<html>"),
            RawReply.Ok with { IsSilent = true },
            new(502, "")];
        await using var endpoint = new RawEndpoint((_, n) => n <= faults.Length ? faults[n - 1] : RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request() with { AttemptTimeout = TimeSpan.FromSeconds(2) }, 0, default);
        Assert.Equal((CallVerdict.Completed, 7), (outcome.Verdict, outcome.Attempts));
        Assert.Equal(7, endpoint.Requests.Count);
        Assert.Equal((7, 6), (caller.Snapshot()[0].Calls, caller.Snapshot()[0].Retries));
    }

    [Fact]
    public async Task Attempts_of_earlier_claims_count_and_the_last_answer_is_kept()
    {
        await using var endpoint = new RawEndpoint((_, n) => new RawReply(500, """{"error":{"message":"no N","code":"boom"}}""".Replace("N", n.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(maxAttempts: 4), 2, default);
        Assert.Equal((CallVerdict.Failed, 500, "boom", 4), (outcome.Verdict, outcome.StatusCode!.Value, outcome.ErrorCode, outcome.Attempts));
        Assert.Contains("no 2", outcome.Text(), StringComparison.Ordinal);
        Assert.Equal(2, endpoint.Requests.Count);

        outcome = await caller.CallAsync(CallerHouse.Request(maxAttempts: 4), 4, default);
        Assert.Equal((CallVerdict.Failed, "attempts_exhausted", 4), (outcome.Verdict, outcome.ErrorCode, outcome.Attempts));
        Assert.Equal(2, endpoint.Requests.Count);
    }

    [Fact]
    public async Task A_job_without_a_limit_takes_that_of_the_options()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(500, ""));
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.MaxAttempts = 3;
        await using var caller = CallerHouse.Caller(options);
        Assert.Equal(3, (await caller.CallAsync(CallerHouse.Request(maxAttempts: 0), 0, default)).Attempts);
    }

    [Fact]
    public async Task A_timeout_and_a_closed_port_fail_with_a_code_when_there_was_no_answer()
    {
        await using var silent = new RawEndpoint((_, _) => RawReply.Ok with { IsSilent = true });
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(silent)));
        var late = await caller.CallAsync(CallerHouse.Request(maxAttempts: 1) with { AttemptTimeout = TimeSpan.FromSeconds(0.2) }, 0, default);
        Assert.Equal((CallVerdict.Failed, "request_timeout", null), (late.Verdict, late.ErrorCode, late.StatusCode));

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await using var closed = CallerHouse.Caller(CallerHouse.Options(new DeploymentOptions { Name = "closed", Endpoint = $"http://127.0.0.1:{port}/v1" }));
        var refused = await closed.CallAsync(CallerHouse.Request(maxAttempts: 2), 0, default);
        Assert.Equal((CallVerdict.Failed, "connection_error", 2), (refused.Verdict, refused.ErrorCode, refused.Attempts));
        Assert.Equal("the endpoint cannot be reached: connection refused", closed.Snapshot()[0].LastFailure);
    }

    [Fact]
    public async Task Cancelling_breaks_the_call_off()
    {
        using var cancel = new CancellationTokenSource();
        await using var endpoint = new RawEndpoint((_, _) =>
        {
            cancel.Cancel();
            return RawReply.Ok with { IsSilent = true };
        });
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => caller.CallAsync(CallerHouse.Request(), 0, cancel.Token));
        Assert.Equal(0, caller.Snapshot()[0].InFlight);
    }

    [Fact]
    public async Task Concurrency_is_held()
    {
        var (now, most) = (0, 0);
        await using var endpoint = new RawEndpoint((_, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            Thread.SpinWait(50_000);
            Interlocked.Decrement(ref now);
            return RawReply.Ok;
        });
        var at = CallerHouse.At(endpoint);
        at.Concurrency = 2;
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));
        Assert.Equal(2, caller.Room("m"));
        await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => caller.CallAsync(CallerHouse.Request(), 0, default)));
        Assert.InRange(most, 1, 2);
        Assert.Equal((30, 30 * 7, 30 * 2), (caller.Snapshot()[0].CallsLastMinute, caller.Snapshot()[0].InputTokens, caller.Snapshot()[0].OutputTokensLastMinute));
        await caller.WaitForRoomAsync("m", default);
    }
}
