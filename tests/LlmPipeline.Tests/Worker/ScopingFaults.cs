using System.Text;

namespace LlmPipeline.Tests;

/// <summary>
/// Whose fault a refusal is: the row's, its batch's, the model's, the account's (<see cref="FaultEvidence"/>, <see cref="Availability"/>).
/// </summary>
public sealed class ScopingFaults
{
    private const string Flagged = """{"error":{"message":"no access for this input","code":403}}""";
    private const string Odd = """{"error":{"message":"das Modell kennt niemand","type":"fehler","code":"E17"}}""";

    [Fact]
    public async Task A_row_that_is_refused_with_403_while_others_succeed_fails_alone_with_its_body()
    {
        await using var endpoint = Endpoint(
            request => request.Contains("POISON", StringComparison.Ordinal) ? new RawReply(403, Flagged) : RawReply.Ok);
        await using var caller = Caller(endpoint);
        var outcomes = new List<CallOutcome>();
        for (var row = 1; row <= 8; row++)
            outcomes.Add(await EndAsync(caller, Row(row, row == 3 ? "POISON" : "fine")));
        Assert.Equal([3], Rows(outcomes, CallVerdict.Failed));
        Assert.Equal(Flagged, outcomes[2].Text());
        Assert.Null(caller.BlockageOf("m", null, "b-1"));
    }

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    [InlineData(407)]
    public async Task A_stray_refusal_among_successes_closes_nothing(int status)
    {
        var calls = 0;
        await using var endpoint = Endpoint(_ => ++calls == 3 ? new RawReply(status, """{"error":{"message":"stray"}}""") : RawReply.Ok);
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 8; row++)
        {
            var outcome = await caller.CallAsync(Row(row), 0, default);
            Assert.Equal(row == 3 ? CallVerdict.Retry : CallVerdict.Completed, outcome.Verdict);
            Assert.Equal(row == 3 ? 0 : 1, outcome.Attempts);
        }

        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(3), 0, default)).Verdict);
        Assert.Null(caller.BlockageOf("m", null, "b-1"));
    }

    [Theory]
    [InlineData(401, null)]
    [InlineData(402, null)]
    [InlineData(403, "b-1")]
    public async Task Five_different_rows_in_a_row_close_what_they_concern_and_none_of_them_is_charged(int status, string? flow)
    {
        await using var endpoint = Endpoint(_ => new RawReply(status, """{"error":{"message":"go away"}}"""));
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 6; row++)
        {
            var outcome = await caller.CallAsync(Row(row), 2, default);
            Assert.Equal((CallVerdict.Retry, 2), (outcome.Verdict, outcome.Attempts));
        }

        Assert.Equal(5, endpoint.Requests.Count(request => request.Target != "/v1/models"));
        var outage = Assert.Single(caller.Snapshot()[0].Outages);
        Assert.Equal((flow, "go away"), (outage.Flow, outage.Reason[^"go away".Length..]));
    }

    [Fact]
    public async Task A_key_that_the_list_of_models_refuses_is_wrong_at_the_first_row()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(401, """{"error":{"message":"nope"}}"""));
        await using var caller = Caller(endpoint);
        Assert.Equal(CallVerdict.Retry, (await caller.CallAsync(Row(1), 0, default)).Verdict);
        Assert.True(caller.BlockageOf("m")!.IsConfirmed);
        Assert.Equal(CallVerdict.Retry, (await caller.CallAsync(Row(2), 0, default)).Verdict);
        Assert.Equal(["/v1/chat/completions", "/v1/models", "/v1/models"], endpoint.Requests.Select(request => request.Target));
    }

    [Theory]
    [InlineData(401, CallVerdict.Retry)]
    [InlineData(403, CallVerdict.Failed)]
    [InlineData(422, CallVerdict.Failed)]
    public async Task A_row_that_is_alone_is_sent_once_more_and_then_decides(int status, CallVerdict verdict)
    {
        await using var endpoint = Endpoint(_ => new RawReply(status, Odd));
        await using var caller = Caller(endpoint);
        Assert.Equal(CallVerdict.Retry, (await caller.CallAsync(Row(1), 0, default)).Verdict);
        Assert.Equal(verdict, (await caller.CallAsync(Row(1), 0, default)).Verdict);
        Assert.Equal(status == 401, caller.BlockageOf("m") is not null);
    }

    [Fact]
    public async Task Unknown_words_of_the_first_five_rows_close_the_model_for_the_batch_alone()
    {
        await using var endpoint = Endpoint(
            request => request.Contains("\"odd\"", StringComparison.Ordinal) ? new RawReply(400, Odd) : RawReply.Ok);
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 7; row++)
            Assert.Equal(CallVerdict.Retry, (await caller.CallAsync(Row(row, model: "odd"), 0, default)).Verdict);
        Assert.Contains("das Modell kennt niemand", caller.BlockageOf("odd", null, "b-1")!.Reason, StringComparison.Ordinal);
        Assert.Null(caller.BlockageOf("odd"));
        Assert.Null(caller.BlockageOf("m", null, "b-1"));
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(8), 0, default)).Verdict);
        Assert.Equal(
            CallVerdict.Failed, (await caller.CallAsync(Row(1, model: "odd") with { Batch = null, Id = "j-1" }, 0, default)).Verdict);
    }

    [Fact]
    public async Task After_a_success_an_unknown_error_is_the_rows_own_and_so_it_is_when_asked_for()
    {
        await using var endpoint = Endpoint(
            request => request.Contains("POISON", StringComparison.Ordinal) ? new RawReply(400, Odd) : RawReply.Ok);
        await using var caller = Caller(endpoint);
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(1), 0, default)).Verdict);
        for (var row = 2; row <= 9; row++)
            Assert.Equal(CallVerdict.Failed, (await caller.CallAsync(Row(row, "POISON"), 0, default)).Verdict);
        await using var going = Caller(endpoint, options => options.KeepGoing = true);
        Assert.Equal(CallVerdict.Failed, (await going.CallAsync(Row(1, "POISON"), 0, default)).Verdict);
    }

    [Theory]
    [InlineData(400, """{"error":{"message":"too long","code":"context_length_exceeded"}}""")]
    [InlineData(400, """{"error":{"message":"This model's maximum context length is 8192 tokens.","code":400}}""")]
    [InlineData(400, """{"error":{"message":"filtered","code":"content_filter"}}""")]
    [InlineData(413, "<html>413 Request Entity Too Large</html>")]
    public async Task A_known_fault_of_a_row_is_its_own_at_once(int status, string body)
    {
        await using var endpoint = Endpoint(_ => new RawReply(status, body));
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 7; row++)
            Assert.Equal(CallVerdict.Failed, (await caller.CallAsync(Row(row), 0, default)).Verdict);
        Assert.Null(caller.BlockageOf("m", null, "b-1"));
    }

    [Fact]
    public async Task Until_its_first_success_a_batch_has_at_most_five_calls_at_once()
    {
        await using var silent = Endpoint(_ => RawReply.Ok with { IsSilent = true });
        await using var unproven = Caller(silent);
        Assert.Equal(5, await MostAtOnceAsync(unproven));
        await using var endpoint = Endpoint(
            request => request.Contains("first", StringComparison.Ordinal) ? RawReply.Ok : RawReply.Ok with { IsSilent = true });
        await using var proven = Caller(endpoint);
        Assert.Equal(CallVerdict.Completed, (await proven.CallAsync(Row(1, "first"), 0, default)).Verdict);
        Assert.InRange(await MostAtOnceAsync(proven), 6, 20);
    }

    [Fact]
    public async Task A_row_of_another_batch_probes_at_once_and_its_success_reopens()
    {
        var isBad = true;
        await using var endpoint = Endpoint(_ => isBad ? new RawReply(402, """{"error":{"message":"no money"}}""") : RawReply.Ok);
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 6; row++)
            await caller.CallAsync(Row(row), 0, default);
        Assert.NotNull(caller.BlockageOf("m"));
        isBad = false;
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(1) with { Batch = "b-2", Id = "b-2.1" }, 0, default)).Verdict);
        Assert.Null(caller.BlockageOf("m"));
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(1), 0, default)).Verdict);
    }

    [Fact]
    public async Task An_operator_opens_what_is_closed()
    {
        await using var endpoint = Endpoint(_ => new RawReply(402, """{"error":{"message":"no money"}}"""));
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 6; row++)
            await caller.CallAsync(Row(row), 0, default);
        caller.Open("another");
        Assert.NotNull(caller.BlockageOf("m"));
        caller.Open("one");
        Assert.Null(caller.BlockageOf("m"));
    }

    [Fact]
    public async Task Rows_that_time_out_while_none_succeeds_open_the_circuit_and_are_not_charged()
    {
        await using var endpoint = Endpoint(_ => RawReply.Ok with { IsSilent = true });
        await using var caller = Caller(endpoint, options =>
        {
            options.AttemptTimeout = TimeSpan.FromSeconds(0.3);
            options.MaxInlineWait = TimeSpan.FromSeconds(0.1);
            options.RetryBase = TimeSpan.FromSeconds(2);
        });
        var outcomes = await Task.WhenAll(Enumerable.Range(1, 4).Select(row => caller.CallAsync(Row(row), 0, default)));
        Assert.All(outcomes, outcome => Assert.Equal((CallVerdict.Retry, 0), (outcome.Verdict, outcome.Attempts)));
        Assert.NotNull(caller.Snapshot()[0].CircuitOpenUntil);
        Assert.Contains("no answer within", caller.Snapshot()[0].Models[0].CircuitReason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_row_that_times_out_while_others_succeed_has_two_attempts()
    {
        await using var endpoint = Endpoint(
            request => request.Contains("POISON", StringComparison.Ordinal) ? RawReply.Ok with { IsSilent = true } : RawReply.Ok);
        await using var caller = Caller(endpoint, options => options.AttemptTimeout = TimeSpan.FromSeconds(1));
        using var stop = new CancellationTokenSource();
        var others = Task.Run(async () =>
        {
            for (var row = 2; !stop.IsCancellationRequested; row++)
            {
                await caller.CallAsync(Row(row), 0, default);
                await Task.Delay(50);
            }
        });
        var slow = await caller.CallAsync(Row(1, "POISON"), 0, default);
        await stop.CancelAsync();
        await others;
        Assert.Equal((CallVerdict.Failed, "request_timeout", 2), (slow.Verdict, slow.ErrorCode, slow.Attempts));
        Assert.Contains("--attempt-timeout", slow.ErrorMessage, StringComparison.Ordinal);
        Assert.Equal(2, endpoint.Requests.Count(request => request.Text.Contains("POISON", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task One_flow_that_only_fails_does_not_open_the_circuit_for_another()
    {
        await using var endpoint = Endpoint(
            request => request.Contains("POISON", StringComparison.Ordinal) ? new RawReply(500, "{}") : RawReply.Ok);
        await using var caller = Caller(endpoint);
        for (var row = 1; row <= 50; row++)
        {
            await caller.CallAsync(Row(row, "POISON", attempts: 1), 0, default);
            if (row % 10 == 0)
                Assert.Equal(
                    CallVerdict.Completed,
                    (await caller.CallAsync(Row(row) with { Batch = "b-2", Id = $"b-2.{row}" }, 0, default)).Verdict);
        }

        Assert.Null(caller.Snapshot()[0].CircuitOpenUntil);
    }

    [Fact]
    public async Task A_model_that_is_rate_limited_does_not_hold_up_another_of_its_deployment()
    {
        await using var endpoint = Endpoint(
            request => request.Contains("\"full\"", StringComparison.Ordinal) ? new RawReply(429, "{}", "Retry-After: 3000") : RawReply.Ok);
        await using var caller = Caller(endpoint);
        Assert.Equal(CallVerdict.Retry, (await caller.CallAsync(Row(1, model: "full"), 0, default)).Verdict);
        Assert.Equal(0, caller.Room("full"));
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(2), 0, default)).Verdict);
        var models = caller.Snapshot()[0].Models;
        Assert.NotNull(models.Single(one => one.Model == "full").GateClosedUntil);
        Assert.Null(models.Single(one => one.Model == "m").GateClosedUntil);
    }

    [Fact]
    public async Task A_row_that_is_put_off_however_often_others_succeed_fails_and_slows_nobody_down()
    {
        var fine = 0;
        await using var endpoint = Endpoint(request =>
        {
            if (!request.Contains("POISON", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref fine);
                return RawReply.Ok;
            }

            // With four callers, one of five further calls follows the completion of another.
            var before = Volatile.Read(ref fine);
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref fine) >= before + 5, TimeSpan.FromSeconds(60)));
            return new RawReply(429, """{"error":{"message":"zu gross","code":"E9"}}""", "retry-after-ms: 5");
        });
        await using var caller = Caller(endpoint);
        using var stop = new CancellationTokenSource();
        var others = Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            for (var row = 10 + (worker * 100_000); !stop.IsCancellationRequested; row++)
                Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(row), 0, default)).Verdict);
        })));
        // The refusals of the first calls of all would be taken for those of a small limit.
        await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref fine) >= 200), "calls succeed");
        var outcome = await EndAsync(caller, Row(1, "POISON")).WaitAsync(TimeSpan.FromSeconds(120));
        await stop.CancelAsync();
        await others;
        Assert.Equal((CallVerdict.Failed, "E9", 1), (outcome.Verdict, outcome.ErrorCode, outcome.Attempts));
        Assert.Contains("zu gross", outcome.Text(), StringComparison.Ordinal);
        Assert.InRange(endpoint.Requests.Count(request => request.Text.Contains("POISON", StringComparison.Ordinal)), 24, 40);
    }

    [Theory]
    [InlineData("""{"error":{"message":"das Konto ist zu","code":"E5"}}""", true)]
    [InlineData("""{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}""", false)]
    [InlineData("", false)]
    public async Task An_endpoint_that_lets_nothing_pass_without_a_word_of_a_limit_is_unavailable(string body, bool isClosed)
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var endpoint = Endpoint(_ => new RawReply(429, body));
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        await using var caller = CallerHouse.Caller(options, time);
        for (var n = 1; n <= 40 && caller.BlockageOf("m") is null; n++)
        {
            var call = caller.CallAsync(Row(n), 0, default);
            while (await Task.WhenAny(call, Task.Delay(5)) != call)
                time.Advance(TimeSpan.FromMilliseconds(500));
            Assert.Equal((CallVerdict.Retry, 0), ((await call).Verdict, (await call).Attempts));
            time.Advance(TimeSpan.FromSeconds(20));
        }

        Assert.Equal(isClosed, caller.BlockageOf("m") is { IsConfirmed: true });
    }

    [Theory]
    [InlineData(500, 3, 3)]
    [InlineData(400, 8, 1)]
    public async Task A_500_with_the_words_of_an_account_that_is_the_rows_own_has_the_retries_of_a_500(int status, int attempts, int charged)
    {
        const string Sentence = """{"error":{"message":"insufficient balance of the words"}}""";
        await using var endpoint = Endpoint(
            request => request.Contains("POISON", StringComparison.Ordinal) ? new RawReply(status, Sentence) : RawReply.Ok);
        await using var caller = Caller(endpoint);
        Task<CallOutcome>? poisoned = null;
        CallOutcome? outcome = null;
        var job = Row(1, "POISON", attempts: attempts);
        for (var (row, claimed) = (10, 0); outcome is null && row < 500; row++)
        {
            poisoned ??= caller.CallAsync(job, claimed, default);
            Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(Row(row), 0, default)).Verdict);
            await Task.WhenAny(poisoned, Task.Delay(5));
            if (!poisoned.IsCompleted)
                continue;
            var ended = await poisoned;
            (poisoned, claimed) = (null, ended.Attempts);
            outcome = ended.Verdict == CallVerdict.Retry ? null : ended;
        }

        Assert.Equal((CallVerdict.Failed, charged), (outcome!.Verdict, outcome.Attempts));
        Assert.Equal(Sentence, outcome.Text());
        // What it is found out by is one call more than what is charged.
        Assert.InRange(endpoint.Requests.Count(request => request.Text.Contains("POISON", StringComparison.Ordinal)), charged, charged + 1);
        Assert.Null(caller.BlockageOf("m", null, "b-1"));
    }

    [Fact]
    public async Task The_records_of_models_are_bounded()
    {
        await using var endpoint = Endpoint(_ => RawReply.Ok);
        await using var caller = Caller(endpoint);
        for (var n = 0; n < 300; n++)
            _ = caller.Room($"model-{n}");
        Assert.InRange(caller.Snapshot()[0].Models.Count, 1, 256);
    }

    [Fact]
    public async Task A_jobs_own_number_of_attempts_does_not_pass_the_operators()
    {
        await using var endpoint = Endpoint(_ => new RawReply(500, "{}"));
        await using var caller = Caller(endpoint, options => options.MaxAttempts = 2);
        var outcome = await caller.CallAsync(Row(1, attempts: 1000), 0, default);
        Assert.Equal((CallVerdict.Failed, 2), (outcome.Verdict, outcome.Attempts));
    }

    // An endpoint without a list of models.
    private static RawEndpoint Endpoint(Func<string, RawReply> reply) =>
        new((request, _) => request.Target == "/v1/models" ? new RawReply(404, "{}") : reply(request.Text));

    private static LlmCaller Caller(RawEndpoint endpoint, Action<LlmOptions>? set = null)
    {
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        set?.Invoke(options);
        return CallerHouse.Caller(options);
    }

    private static Job Row(int row, string text = "fine", string model = "m", int attempts = 8) => new()
    {
        Id = $"b-1.{row}",
        Queue = model,
        Batch = "b-1",
        Row = row,
        MaxAttempts = attempts,
        Work = new RequestWork
        {
            Path = "/v1/chat/completions",
            Body = Encoding.UTF8.GetBytes($$"""{"model":"{{model}}","messages":[{"role":"user","content":"{{text}}"}]}"""),
        },
    };

    // A worker would find a row that was put back on its queue.
    private static async Task<CallOutcome> EndAsync(LlmCaller caller, Job job)
    {
        while (true)
        {
            var outcome = await caller.CallAsync(job, 0, default);
            if (outcome.Verdict != CallVerdict.Retry)
                return outcome;
            await Task.Delay(10);
        }
    }

    private static IEnumerable<int> Rows(List<CallOutcome> outcomes, CallVerdict verdict) =>
        outcomes.Select((outcome, n) => (outcome, n)).Where(one => one.outcome.Verdict == verdict).Select(one => one.n + 1);

    // How many of twenty rows are called at once, as far as one second shows.
    private static async Task<int> MostAtOnceAsync(LlmCaller caller)
    {
        using var stop = new CancellationTokenSource();
        var calls = Enumerable.Range(1, 20).Select(row => caller.CallAsync(Row(row), 0, stop.Token)).ToList();
        await Eventually.HoldsAsync(() => Task.FromResult(caller.Snapshot()[0].InFlight >= 5), "five calls run");
        await Task.Delay(500);
        var most = caller.Snapshot()[0].InFlight;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(calls));
        return most;
    }
}
