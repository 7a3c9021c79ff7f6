using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class WaitingBetweenTries
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 5, 12, 0, 0, TimeSpan.Zero));

    [Theory]
    [InlineData(1, null, 0, 0.25)]
    [InlineData(1, null, 1, 0.75)]
    [InlineData(4, null, 0.5, 4)]
    [InlineData(20, null, 0.5, 60)]
    [InlineData(1000, null, 0.5, 60)]
    [InlineData(1, 3.0, 0, 3)]
    [InlineData(1, 3.0, 1, 3.25)]
    [InlineData(20, 3.0, 0.5, 60)]
    public void A_wait_doubles_is_spread_and_is_never_before_the_providers_word(int failures, double? notBefore, double jitter, double seconds) =>
        Assert.Equal(seconds, RetryDelays.After(
            failures, TimeSpan.FromSeconds(0.5), TimeSpan.FromMinutes(1), notBefore is { } asked ? TimeSpan.FromSeconds(asked) : null, jitter).TotalSeconds, 3);

    [Fact]
    public async Task Short_waits_are_spent_holding_the_job()
    {
        await using var endpoint = new RawEndpoint((_, n) => n <= 3 ? new RawReply(500, "") : RawReply.Ok);
        await using var caller = Caller(endpoint);
        var (outcome, waited) = await RunAsync(caller.CallAsync(CallerHouse.Request(), 0, default));
        Assert.Equal((CallVerdict.Completed, 4), (outcome.Verdict, outcome.Attempts));
        Assert.InRange(waited.TotalSeconds, 3.5, 60);
    }

    [Fact]
    public async Task A_longer_wait_goes_through_the_queue_with_the_last_answer_told()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(500, """{"error":{"code":"boom"}}"""));
        await using var caller = Caller(endpoint);
        var outcome = await caller.CallAsync(CallerHouse.Request(), 4, default);
        Assert.Equal((CallVerdict.Retry, 5, "boom", 500), (outcome.Verdict, outcome.Attempts, outcome.ErrorCode, outcome.StatusCode!.Value));
        Assert.Equal(TimeSpan.FromSeconds(8), outcome.Delay);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task Later_charges_nothing_however_often_it_is_said()
    {
        await using var endpoint = new RawEndpoint((_, n) => n <= 12 ? new RawReply(n % 2 == 0 ? 429 : 503, "", "Retry-After: 2") : RawReply.Ok);
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.RetryBase = TimeSpan.FromMilliseconds(1);
        await using var caller = CallerHouse.Caller(options, _time);
        var (outcome, waited) = await RunAsync(caller.CallAsync(CallerHouse.Request(maxAttempts: 2), 0, default));
        Assert.Equal((CallVerdict.Completed, 1), (outcome.Verdict, outcome.Attempts));
        Assert.InRange(waited.TotalSeconds, 24, 240);
        Assert.Equal(12, caller.Snapshot()[0].Throttled);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task A_long_Retry_After_closes_the_gate_for_all_and_goes_through_the_queue()
    {
        await using var endpoint = new RawEndpoint((_, n) => n == 1 ? new RawReply(429, "", "Retry-After: 30") : RawReply.Ok);
        await using var caller = Caller(endpoint);
        var first = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Retry, 0, 429), (first.Verdict, first.Attempts, first.StatusCode!.Value));
        Assert.InRange(first.Delay.TotalSeconds, 30, 31);
        Assert.Equal(0, caller.Room("m"));
        var second = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Retry, 0), (second.Verdict, second.Attempts));
        Assert.Single(endpoint.Requests);

        var room = caller.WaitForRoomAsync("m", default).AsTask();
        Assert.False(room.IsCompleted);
        var (_, waited) = await RunAsync(room.ContinueWith(_ => first, TaskScheduler.Default));
        Assert.InRange(waited.TotalSeconds, 28, 60);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(CallerHouse.Request(), 0, default)).Verdict);
    }

    [Theory]
    [InlineData("Retry-After: 86400")]
    [InlineData("Retry-After: 4102444800")]
    public async Task A_longer_wait_than_is_trusted_holds_back_row_and_deployment_for_that_and_then_one_call_tries(string header)
    {
        var isOver = false;
        await using var endpoint = new RawEndpoint((_, _) => isOver ? RawReply.Ok : new RawReply(429, "{}", header));
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.MaxRetryAfter = TimeSpan.FromMinutes(30);
        await using var caller = CallerHouse.Caller(options, _time);
        var first = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Retry, 0), (first.Verdict, first.Attempts));
        Assert.InRange(first.Delay.TotalMinutes, 30, 30.1);
        Assert.Equal(_time.GetUtcNow().AddMinutes(30), caller.Snapshot()[0].GateClosedUntil);
        isOver = true;
        _time.Advance(TimeSpan.FromMinutes(30));
        var probed = await caller.CallAsync(CallerHouse.Request(), 0, default);
        var next = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal((CallVerdict.Completed, CallVerdict.Completed), (probed.Verdict, next.Verdict));
    }

    [Fact]
    public async Task A_request_larger_than_the_limit_fails_alone_and_nobody_else_is_held_back()
    {
        const string tooLarge =
            """{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested """
                + """45411.","type":"tokens","code":"rate_limit_exceeded"}}""";
        await using var endpoint = new RawEndpoint((request, _) =>
            request.Text.Contains("LARGE", StringComparison.Ordinal)
                ? new RawReply(429, tooLarge, "x-ratelimit-limit-tokens: 30000", "x-ratelimit-remaining-tokens: 30000")
                : RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var large = await caller.CallAsync(
            CallerHouse.Request("""{"model":"m","messages":[],"user":"LARGE"}""", maxAttempts: 2), 0, default);
        Assert.Equal((CallVerdict.Failed, "rate_limit_exceeded", 2), (large.Verdict, large.ErrorCode, large.Attempts));
        Assert.Contains("Requested 45411", large.Text(), StringComparison.Ordinal);
        Assert.Null(caller.Snapshot()[0].GateClosedUntil);
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(CallerHouse.Request(), 0, default)).Verdict);
        Assert.Equal(3, endpoint.Requests.Count);
    }

    [Fact]
    public async Task A_Retry_After_of_zero_is_no_licence_to_hammer()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(429, "", "Retry-After: 0"));
        await using var caller = Caller(endpoint);
        var (outcome, waited) = await RunAsync(caller.CallAsync(CallerHouse.Request(), 0, default));
        Assert.Equal(CallVerdict.Retry, outcome.Verdict);
        Assert.InRange(endpoint.Requests.Count, 3, 6);
        Assert.True(waited >= TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task Past_its_deadline_a_job_expires_before_during_and_between_calls()
    {
        await using var endpoint = new RawEndpoint((_, n) => n == 1 ? new RawReply(429, "", "Retry-After: 600") : RawReply.Ok with { IsSilent = true });
        await using var caller = Caller(endpoint);
        var job = CallerHouse.Request() with { Deadline = _time.GetUtcNow().AddSeconds(20) };
        var between = await caller.CallAsync(job with { Batch = "b-1" }, 0, default);
        Assert.Equal((CallVerdict.Expired, "batch_expired"), (between.Verdict, between.ErrorCode));

        _time.Advance(TimeSpan.FromMinutes(10));
        var before = await caller.CallAsync(job, 0, default);
        Assert.Equal((CallVerdict.Expired, "job_expired", 0), (before.Verdict, before.ErrorCode, before.Attempts));
        Assert.Single(endpoint.Requests);

        var (during, waited) = await RunAsync(caller.CallAsync(job with { Deadline = _time.GetUtcNow().AddSeconds(3) }, 0, default));
        Assert.Equal(CallVerdict.Expired, during.Verdict);
        Assert.InRange(waited.TotalSeconds, 2.9, 60);
    }

    [Fact]
    public async Task An_endpoint_that_is_down_opens_the_circuit_and_spends_no_more_attempts()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(500, """{"error":{"code":"down"}}"""));
        await using var caller = Caller(endpoint);
        using var enough = new CancellationTokenSource();
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => caller.CallAsync(CallerHouse.Request(maxAttempts: 1) with { Id = $"j-{i}" }, 0, enough.Token)
            .WaitAsync(TimeSpan.FromMilliseconds(i < 30 ? 20_000 : 500)).ContinueWith(_ => { }, TaskScheduler.Default)));
        Assert.NotNull(caller.Snapshot()[0].CircuitOpenUntil);
        Assert.Equal(0, caller.Room("m"));
        var sent = endpoint.Requests.Count;
        Assert.InRange(sent, 30, 40);
        // Those that still wait would probe it too, and keep it open for longer than the next one is patient.
        await enough.CancelAsync();

        var (outcome, _) = await RunAsync(caller.CallAsync(CallerHouse.Request(maxAttempts: 1), 0, default));
        Assert.Equal(CallVerdict.Failed, outcome.Verdict);
        Assert.InRange(endpoint.Requests.Count, sent + 1, sent + 12);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(3, 8)]
    [InlineData(9, 30)]
    public void The_circuit_stays_open_longer_each_time(int probes, double seconds) => Assert.Equal(seconds, Circuit.BreakAfter(probes).TotalSeconds);

    private LlmCaller Caller(RawEndpoint endpoint)
    {
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.RetryBase = TimeSpan.FromSeconds(0.5);
        options.AttemptTimeout = TimeSpan.FromHours(1);
        return CallerHouse.Caller(options, _time);
    }

    // The clock goes on in small steps while the sockets do their work in real time: so a wait is never shorter than it should be, but may look longer.
    private async Task<(CallOutcome Outcome, TimeSpan Waited)> RunAsync(Task<CallOutcome> call)
    {
        var start = _time.GetUtcNow();
        while (await Task.WhenAny(call, Task.Delay(5)) != call)
            _time.Advance(TimeSpan.FromMilliseconds(50));
        return (await call, _time.GetUtcNow() - start);
    }
}
