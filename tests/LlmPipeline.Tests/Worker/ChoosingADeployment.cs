namespace LlmPipeline.Tests;

public sealed class ChoosingADeployment
{
    private const string WrongKey = """{"error":{"message":"Incorrect API key provided: sk-secret.","type":"invalid_request_error","code":"invalid_api_key"}}""";

    [Fact]
    public async Task A_wrong_key_releases_the_job_uncharged_and_closes_the_deployment_with_the_providers_message()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(401, WrongKey));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        Assert.Null(caller.ClosedReason("m"));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 3, default);
        Assert.Equal((CallVerdict.Release, 401, 3, "invalid_api_key"), (outcome.Verdict, outcome.StatusCode!.Value, outcome.Attempts, outcome.ErrorCode));
        Assert.Contains("Incorrect API key provided", outcome.ErrorMessage, StringComparison.Ordinal);
        Assert.Contains("Incorrect API key provided", caller.ClosedReason("m"), StringComparison.Ordinal);
        Assert.DoesNotContain("sk-secret", outcome.ErrorMessage, StringComparison.Ordinal);

        outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal(CallVerdict.Release, outcome.Verdict);
        Assert.Single(endpoint.Requests);
        Assert.Equal(0, caller.Room("m"));
    }

    [Fact]
    public async Task The_next_deployment_takes_over_from_one_that_is_closed()
    {
        await using var wrong = new RawEndpoint((_, _) => new RawReply(401, WrongKey));
        await using var right = new RawEndpoint((_, _) => RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(right, "right", priority: 1), CallerHouse.At(wrong, "wrong")));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Completed, "right", 1), (outcome.Verdict, outcome.Deployment, outcome.Attempts));
        Assert.Null(caller.ClosedReason("m"));
        Assert.NotNull(caller.Snapshot()[1].ClosedReason);
    }

    [Fact]
    public async Task An_unknown_model_closes_the_deployment_for_that_model_alone()
    {
        await using var endpoint = new RawEndpoint((request, _) => request.Text.Contains("\"typo\"", StringComparison.Ordinal)
            ? new RawReply(404, """{"error":{"message":"The model `typo` does not exist","code":"model_not_found"}}""")
            : RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var typo = await caller.CallAsync(CallerHouse.Request("""{"model":"typo"}""") with { Queue = "typo" }, 0, default);
        Assert.Equal(CallVerdict.Release, typo.Verdict);
        Assert.Contains("does not exist", caller.ClosedReason("typo"), StringComparison.Ordinal);
        Assert.Null(caller.ClosedReason("m"));
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

    [Fact]
    public async Task A_redirect_is_not_followed_and_closes_the_deployment()
    {
        await using var elsewhere = new RawEndpoint((_, _) => RawReply.Ok);
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(307, "", $"Location: {elsewhere.Url}/v1/chat/completions"));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        Assert.Equal(CallVerdict.Release, (await caller.CallAsync(CallerHouse.Request(), 0, default)).Verdict);
        Assert.Empty(elsewhere.Requests);
    }
}
