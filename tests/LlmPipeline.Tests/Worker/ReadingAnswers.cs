using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline.Tests;

/// <summary>Covers <see cref="AnswerReader"/>: bodies as servers send them, through a whole call.</summary>
public sealed class ReadingAnswers
{
    private const string Streamed = """{"model":"m","stream":true,"messages":[]}""";

    private const string Events = """
        data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"four"},"finish_reason":null}]}

        data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}

        data: [DONE]


        """;

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    [InlineData("")]
    public async Task A_compressed_answer_is_stored_as_the_text_that_it_was(string encoding)
    {
        var reply = RawReply.Ok with
        {
            Bytes = Compressed(Encoding.UTF8.GetBytes(RawReply.Completion), encoding),
            Headers = encoding.Length > 0 ? [$"Content-Encoding: {encoding}"] : [],
        };
        var outcome = await CallAsync(reply, CallerHouse.Request());
        Assert.Equal((CallVerdict.Completed, RawReply.Completion, 1), (outcome.Verdict, outcome.Text(), outcome.Attempts));
    }

    [Fact]
    public async Task A_compressed_stream_is_read_as_any_other()
    {
        var reply = new RawReply(
            200,
            "",
            "Content-Type: text/event-stream",
            "Content-Encoding: gzip")
        { Bytes = Compressed(Encoding.UTF8.GetBytes(Events), "gzip") };
        Assert.Equal("four", Content(await CallAsync(reply, CallerHouse.Request(Streamed))));
    }

    [Theory]
    [InlineData("Content-Type: text/event-stream")]
    [InlineData("Content-Type: text/plain; charset=utf-8")]
    [InlineData("Content-Type: application/json")]
    [InlineData("X-Content-Type: none")]
    public async Task A_stream_is_known_by_its_bytes_whatever_its_type_and_whether_it_was_asked_for(string type)
    {
        foreach (var body in (string[])[Streamed, """{"model":"m","messages":[]}"""])
        {
            var outcome = await CallAsync(new RawReply(200, Events, type), CallerHouse.Request(body));
            Assert.Equal("four", Content(outcome));
            Assert.Equal(new TokenUsage(7, 0, 2), outcome.Usage);
        }
    }

    [Theory]
    [InlineData("Content-Type: text/event-stream")]
    [InlineData("Content-Type: application/json")]
    [InlineData("Content-Type: text/plain")]
    public async Task A_call_for_a_stream_that_is_answered_as_a_whole_is_answered(string type)
    {
        var outcome = await CallAsync(new RawReply(200, "\r\n\n" + RawReply.Completion, type), CallerHouse.Request(Streamed));
        Assert.Equal((CallVerdict.Completed, "\r\n\n" + RawReply.Completion), (outcome.Verdict, outcome.Text()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_larger_answer_than_the_setting_allows_fails_once_and_its_cost_is_counted(bool isCompressed)
    {
        var large = Encoding.UTF8.GetBytes($$$"""{"choices":[{"message":{"content":"{{{new string('x', 5_000_000)}}}"}}]}""");
        var reply = RawReply.Ok with
        {
            Bytes = isCompressed ? Compressed(large, "gzip") : large,
            Headers = isCompressed ? ["Content-Encoding: gzip"] : [],
        };
        await using var endpoint = new RawEndpoint((_, _) => reply);
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.MaxAnswerBytes = 1_000_000;
        options.Prices.Add(CallerHouse.Model, new TokenPrice { Input = 1, Output = 1 });
        await using var caller = CallerHouse.Caller(options);
        var outcome = await caller.CallAsync(
            CallerHouse.Request("""{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}"""), 0, default);
        Assert.Equal((CallVerdict.Failed, "answer_too_large", 1), (outcome.Verdict, outcome.ErrorCode, outcome.Attempts));
        Assert.Single(endpoint.Requests);
        Assert.True(outcome.Usage is { Input: > 0, Output: >= 100 } && outcome.Costs.Single().Nanos > 0, $"{outcome.Usage}");
        Assert.True(outcome.Body.IsEmpty);
    }

    [Fact]
    public async Task A_small_body_that_unpacks_to_gigabytes_takes_little_memory()
    {
        var bomb = Compressed(new byte[200_000_000], "gzip");
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok with { Bytes = bomb, Headers = ["Content-Encoding: gzip"] });
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.MaxAnswerBytes = 1_000_000;
        await using var caller = CallerHouse.Caller(options);
        await caller.CallAsync(CallerHouse.Request(), 0, default);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        Assert.Equal("answer_too_large", outcome.ErrorCode);
        Assert.True(allocated < 50_000_000, $"{allocated} bytes");
    }

    [Fact]
    public async Task An_error_of_any_length_is_reported_by_its_status_and_its_beginning_is_kept()
    {
        var outcome = await CallAsync(new RawReply(400, new string('x', 3_000_000)), CallerHouse.Request());
        Assert.Equal((CallVerdict.Failed, 400, 1024 * 1024), (outcome.Verdict, outcome.StatusCode!.Value, outcome.Body.Length));
    }

    [Fact]
    public async Task An_error_in_a_stream_keeps_the_providers_code_and_body_and_asks_to_come_later()
    {
        const string error = """{"error":{"message":"Rate limit reached","type":"rate_limit","code":429}}""";
        await using var endpoint = new RawEndpoint(
            (_, n) => new RawReply(200, n <= 2 ? $"data: {error}\n\n" : Events, "Content-Type: text/event-stream"));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(Streamed, maxAttempts: 1), 0, default);
        Assert.Equal((CallVerdict.Completed, 1), (outcome.Verdict, outcome.Attempts));

        var overloaded =
            error.Replace("429", "529", StringComparison.Ordinal).Replace("rate_limit", "overloaded_error", StringComparison.Ordinal);
        outcome = await CallAsync(
            new RawReply(200, $"event: error\ndata: {overloaded}\n\n", "Content-Type: text/event-stream"),
            CallerHouse.Request(Streamed, maxAttempts: 2));
        Assert.Equal(
            (CallVerdict.Failed, 200, "529", 2), (outcome.Verdict, outcome.StatusCode!.Value, outcome.ErrorCode, outcome.Attempts));
        Assert.Equal(overloaded, outcome.Text());
    }

    [Theory]
    [InlineData(422)]
    [InlineData(400)]
    public async Task A_server_that_refuses_stream_options_is_called_without_them_from_then_on(int status)
    {
        await using var endpoint = new RawEndpoint((request, _) => request.Text.Contains("stream_options", StringComparison.Ordinal)
            ? new RawReply(
                status,
                """{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options","include_usage"]}]}}""")
            : new RawReply(200, Events, "Content-Type: text/event-stream"));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        for (var n = 0; n < 3; n++)
            Assert.Equal("four", Content(await caller.CallAsync(CallerHouse.Request(Streamed, maxAttempts: 1), 0, default)));
        Assert.Equal(4, endpoint.Requests.Count);
        Assert.All(endpoint.Requests.Skip(1), request => Assert.Equal(Streamed, request.Text));
    }

    [Fact]
    public async Task A_callers_own_stream_options_are_the_callers_fault()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(422, """{"message":"stream_options"}"""));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(
            CallerHouse.Request("""{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"""), 0, default);
        Assert.Equal((CallVerdict.Failed, 1), (outcome.Verdict, endpoint.Requests.Count));
    }

    [Fact]
    public async Task A_lenient_answer_is_stored_as_received_flagged_and_not_called_for_again()
    {
        var odd = RawReply.Completion.Replace("\"finish_reason\"", "\"logprobs\":{\"x\":NaN},\"finish_reason\"", StringComparison.Ordinal);
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, odd));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
        Assert.Equal(
            (CallVerdict.Completed, odd, AnswerFlags.Lenient, 1),
            (outcome.Verdict, outcome.Text(), outcome.Flags, endpoint.Requests.Count));
        Assert.Equal(new TokenUsage(7, 3, 2), outcome.Usage);
    }

    [Fact]
    public async Task A_job_without_an_answer_keeps_the_providers_body_after_its_last_attempt()
    {
        var outcome = await CallAsync(new RawReply(200, """{"choices":[],"note":"why"}"""), CallerHouse.Request(maxAttempts: 2));
        Assert.Equal(
            (CallVerdict.Failed, "invalid_response", 2, """{"choices":[],"note":"why"}"""),
            (outcome.Verdict, outcome.ErrorCode, outcome.Attempts, outcome.Text()));
    }

    private static async Task<CallOutcome> CallAsync(RawReply reply, Job job)
    {
        await using var endpoint = new RawEndpoint((_, _) => reply);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        return await caller.CallAsync(job, 0, default);
    }

    private static string? Content(CallOutcome outcome)
    {
        Assert.Equal(CallVerdict.Completed, outcome.Verdict);
        return (string?)JsonNode.Parse(outcome.Body.Span)!["choices"]![0]!["message"]!["content"];
    }

    private static byte[] Compressed(byte[] bytes, string encoding)
    {
        using var packed = new MemoryStream();
        using (Stream stream = encoding switch
        {
            "deflate" => new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            "br" => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
            stream.Write(bytes);
        return packed.ToArray();
    }
}
