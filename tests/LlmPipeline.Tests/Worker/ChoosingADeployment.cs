using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class ChoosingADeployment
{
    private const string WrongKey = """{"error":{"message":"Incorrect API key provided: sk-secret.","type":"invalid_request_error","code":"invalid_api_key"}}""";

    [Fact]
    public async Task A_wrong_key_releases_the_job_uncharged_and_closes_the_deployment_with_the_providers_message()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(401, WrongKey));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        Assert.Null(caller.BlockageOf("m"));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 3, default);
        Assert.Equal(
            (CallVerdict.Retry, 401, 3, "invalid_api_key"),
            (outcome.Verdict, outcome.StatusCode!.Value, outcome.Attempts, outcome.ErrorCode));
        Assert.Contains("Incorrect API key provided", outcome.ErrorMessage, StringComparison.Ordinal);
        Assert.Contains("Incorrect API key provided", caller.BlockageOf("m")!.Reason, StringComparison.Ordinal);
        Assert.True(caller.BlockageOf("m")!.IsConfirmed);
        Assert.DoesNotContain("sk-secret", outcome.ErrorMessage, StringComparison.Ordinal);

        outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal(CallVerdict.Retry, outcome.Verdict);
        // The row that was refused, and the list of models that confirms it.
        Assert.Equal(["/v1/chat/completions", "/v1/models", "/v1/models"], endpoint.Requests.Select(request => request.Target));
        Assert.InRange(caller.Room("m"), 0, 1);
    }

    [Fact]
    public async Task The_next_deployment_takes_over_from_one_that_is_closed()
    {
        await using var wrong = new RawEndpoint((_, _) => new RawReply(401, WrongKey));
        await using var right = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(right, "right", priority: 1), CallerHouse.At(wrong, "wrong")));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Completed, "right", 1), (outcome.Verdict, outcome.Deployment, outcome.Attempts));
        Assert.Null(caller.BlockageOf("m"));
        Assert.NotNull(caller.Snapshot()[1].UnavailableReason);
    }

    [Fact]
    public async Task An_unknown_model_closes_the_deployment_for_that_model_alone()
    {
        await using var endpoint = new RawEndpoint((request, _) => request.Text.Contains("\"typo\"", StringComparison.Ordinal)
            ? new RawReply(404, """{"error":{"message":"The model `typo` does not exist","code":"model_not_found"}}""")
            : RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var typo = await caller.CallAsync(CallerHouse.Request("""{"model":"typo"}""") with { Queue = "typo" }, 0, default);
        Assert.Equal(CallVerdict.Retry, typo.Verdict);
        Assert.Contains("does not exist", caller.BlockageOf("typo")!.Reason, StringComparison.Ordinal);
        Assert.Null(caller.BlockageOf("m"));
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(CallerHouse.Request(), 0, default)).Verdict);
    }

    [Fact]
    public async Task A_named_model_is_served_by_its_own_deployment_and_the_others_by_those_for_all()
    {
        await using var all = new RawEndpoint((_, _) => RawReply.Ok);
        await using var named = new RawEndpoint((_, _) => RawReply.Ok);
        var options = CallerHouse.Options(CallerHouse.At(all, "all", "*"), CallerHouse.At(named, "named", "m"));
        await using var caller = CallerHouse.Caller(options);
        Assert.Equal("named", (await caller.CallAsync(CallerHouse.Request(), 0, default)).Deployment);
        Assert.Equal("all", (await caller.CallAsync(CallerHouse.Request() with { Queue = "other" }, 0, default)).Deployment);
        Assert.Equal((named.Url, all.Url), (options.EndpointOf("m"), options.EndpointOf("other")));
        Assert.True(caller.Serves("m") && caller.Serves("other"));

        var onlyOptions = CallerHouse.Options(CallerHouse.At(named, "named", "m"));
        await using var only = CallerHouse.Caller(onlyOptions);
        Assert.False(only.Serves("other"));
        Assert.Equal("", onlyOptions.EndpointOf("other"));
        Assert.Equal(CallVerdict.Release, (await only.CallAsync(CallerHouse.Request() with { Queue = "other" }, 0, default)).Verdict);
    }

    [Fact]
    public async Task A_failed_try_goes_to_another_deployment_of_the_same_rank()
    {
        await using var bad = new RawEndpoint((_, _) => new RawReply(500, ""));
        await using var good = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(bad, "bad"), CallerHouse.At(good, "good")));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Completed, "good", 2), (outcome.Verdict, outcome.Deployment, outcome.Attempts));
    }

    [Fact]
    public async Task A_closed_gate_means_the_next_deployment_at_once()
    {
        await using var full = new RawEndpoint((_, _) => new RawReply(429, "{}", "Retry-After: 100"));
        await using var free = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(full, "full"), CallerHouse.At(free, "free", priority: 1)));
        for (var i = 0; i < 3; i++)
            Assert.Equal(("free", 1), (await caller.CallAsync(CallerHouse.Request(), 0, default)) is var outcome ? (outcome.Deployment, outcome.Attempts) : default);
        Assert.Single(full.Requests);
        Assert.NotNull(caller.Snapshot()[0].GateClosedUntil);
    }

    [Theory]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(null)]
    public async Task A_deployment_that_is_down_costs_no_attempt_while_another_is_up(int? status)
    {
        await using var down = new RawEndpoint((_, _) => new RawReply(status ?? 200, ""));
        await using var up = new RawEndpoint((_, _) => RawReply.Ok);
        var gone = CallerHouse.At(down, "down");
        if (status is null)
            gone.Endpoint = "http://127.0.0.1:9/v1";
        await using var caller = CallerHouse.Caller(CallerHouse.Options(gone, CallerHouse.At(up, "up", priority: 1)));
        for (var i = 0; i < 40; i++)
        {
            var outcome = await caller.CallAsync(CallerHouse.Request(maxAttempts: 1) with { Id = $"j-{i}" }, 0, default);
            Assert.Equal((CallVerdict.Completed, "up", 1), (outcome.Verdict, outcome.Deployment, outcome.Attempts));
        }

        Assert.Equal(40, up.Requests.Count);
        Assert.NotNull(caller.Snapshot()[0].CircuitOpenUntil);
        // An open circuit is not even asked.
        Assert.True(status is null || down.Requests.Count == 30, $"{down.Requests.Count} calls");
    }

    [Fact]
    public async Task When_all_are_down_that_is_one_attempt()
    {
        await using var one = new RawEndpoint((_, _) => new RawReply(502, ""));
        await using var other = new RawEndpoint((_, _) => new RawReply(502, ""));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(one, "one"), CallerHouse.At(other, "other")));
        var outcome = await caller.CallAsync(CallerHouse.Request(maxAttempts: 3), 0, default);
        Assert.Equal((CallVerdict.Failed, 3, 3, 3), (outcome.Verdict, outcome.Attempts, one.Requests.Count, other.Requests.Count));
    }

    [Fact]
    public async Task Work_spills_over_while_a_gate_is_closed_and_returns_when_it_opens()
    {
        var time = new FakeTimeProvider();
        var isFull = true;
        await using var first = new RawEndpoint((_, _) => isFull ? new RawReply(429, "{}", "Retry-After: 60") : RawReply.Ok);
        await using var second = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(first, "first"), CallerHouse.At(second, "second", priority: 1)), time);
        Assert.Equal("second", (await caller.CallAsync(CallerHouse.Request(), 0, default)).Deployment);
        Assert.Equal("second", (await caller.CallAsync(CallerHouse.Request(), 0, default)).Deployment);
        isFull = false;
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("first", (await caller.CallAsync(CallerHouse.Request(), 0, default)).Deployment);
    }

    [Fact]
    public async Task Another_model_stands_in_while_its_own_cannot_and_is_named_in_the_body()
    {
        var time = new FakeTimeProvider();
        var isFull = true;
        await using var own = new RawEndpoint((_, _) => isFull ? new RawReply(429, "{}", "Retry-After: 60") : RawReply.Ok);
        await using var other = new RawEndpoint((_, _) => RawReply.Ok);
        var options = CallerHouse.Options(CallerHouse.At(own, "own", "m"), CallerHouse.At(other, "other", "b", alias: "b-2024"));
        options.Fallbacks.Add(new FallbackOptions { Model = "m", To = ["b"] });
        await using var caller = CallerHouse.Caller(options, time);
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Completed, "other", 1), (outcome.Verdict, outcome.Deployment, outcome.Attempts));
        Assert.Contains("\"model\":\"b-2024\"", Assert.Single(other.Requests).Text, StringComparison.Ordinal);
        Assert.True(caller.Room("m") > 0);
        isFull = false;
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("own", (await caller.CallAsync(CallerHouse.Request(), 0, default)).Deployment);
    }

    [Fact]
    public async Task A_gate_that_opens_soon_is_waited_for_rather_than_falling_back()
    {
        await using var own = new RawEndpoint((_, n) => n == 1 ? new RawReply(429, "{}", "retry-after-ms: 300") : RawReply.Ok);
        await using var other = new RawEndpoint((_, _) => RawReply.Ok);
        var options = CallerHouse.Options(CallerHouse.At(own, "own", "m"), CallerHouse.At(other, "other", "b"));
        options.Fallbacks.Add(new FallbackOptions { To = ["b"] });
        await using var caller = CallerHouse.Caller(options);
        Assert.Equal("own", (await caller.CallAsync(CallerHouse.Request(), 0, default)).Deployment);
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task A_closed_or_broken_model_falls_back_and_without_any_left_says_why_of_all()
    {
        await using var endpoint = new RawEndpoint((request, _) => new RawReply(
            404, $$$"""{"error":{"message":"The model `{{{(request.Text.Contains("\"b\"", StringComparison.Ordinal) ? "b" : "m")}}}` does not exist","code":"model_not_found"}}"""));
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.Fallbacks.Add(new FallbackOptions { To = ["b"] });
        await using var caller = CallerHouse.Caller(options);
        Assert.Equal(CallVerdict.Retry, (await caller.CallAsync(CallerHouse.Request(), 0, default)).Verdict);
        Assert.Equal(2, endpoint.Requests.Count);
        Assert.Contains("`m`", caller.BlockageOf("m")!.Reason, StringComparison.Ordinal);
        Assert.Contains("`b`", caller.BlockageOf("m")!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using var elsewhere = new RawEndpoint((_, _) => RawReply.Ok);
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(307, "", $"Location: {elsewhere.Url}/v1/chat/completions"));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal(CallVerdict.Retry, outcome.Verdict);
        Assert.Contains($"{elsewhere.Url}/v1/chat/completions: set the endpoint's own URL", outcome.ErrorMessage, StringComparison.Ordinal);
        Assert.Empty(elsewhere.Requests);
    }
}
