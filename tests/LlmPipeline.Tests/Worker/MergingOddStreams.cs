using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline.Tests;

/// <summary>Covers <see cref="StreamedAnswer"/> and <see cref="ChunkMerger"/>: streams as providers were reported to send them.</summary>
public sealed class MergingOddStreams
{
    private const string Usage = """{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}""";

    [Theory]
    [InlineData("data: {0}\n\ndata: {1}\n\n")]
    [InlineData("data:{0}\n\ndata:{1}\n\ndata:[DONE]\n\n")]
    [InlineData("data: {0}\n\ndata: {1}\n\ndata: [DONE] \n\n")]
    [InlineData(": ping\r\n\r\ndata: {0}\r\n\r\ndata: {1}\r\n\r\ndata: [DONE]\r\n\r\n")]
    [InlineData("data:\n\ndata: {0}\n\nevent: ping\ndata: {}\n\ndata: {1}\n\ndata: [DONE]\n\n")]
    [InlineData("event: ping\ndata: {\"type\": \"ping\"}\n\ndata: {0}\n\ndata: {\"type\":\"ping\"}\n\ndata: {1}\n\ndata: [DONE]\n\n")]
    [InlineData("event: ping\ndata: ping\n\ndata: {0}\n\ndata: keep-alive\n\ndata: {1}\n\ndata: [DONE]\n\n")]
    [InlineData("\uFEFFdata: {0}\n\ndata: {1}\n\ndata: [DONE]\n\n")]
    [InlineData("data: {0}\n\ndata: {\"id\":\"c\",\"choices\":null,\"usage\":null}\n\ndata: {1}\n\ndata: [DONE]\n\n")]
    [InlineData("data: {0}\n\ndata: {\"id\":\"c\"}\n\ndata: {1}\n\ndata: [DONE]\n\ndata: {0}\n\n")]
    public async Task Framing_pings_and_chunks_without_choices_are_passed_over(string stream)
    {
        string[] chunks = [Chunk("\"content\":\"hello\""), Chunk("", "stop")];
        var (body, fault, deltas) = await ReadAsync(
            stream.Replace("{0}", chunks[0], StringComparison.Ordinal).Replace("{1}", chunks[1], StringComparison.Ordinal));
        Assert.Equal((AnswerFault.None, "hello"), (fault, Content(body)));
        Assert.Equal(chunks, deltas);
    }

    [Theory]
    [InlineData("\"index\":0", "\"index\":null")]
    [InlineData("\"index\":0,", "")]
    [InlineData("\"object\":\"chat.completion.chunk\"", "\"object\":null")]
    [InlineData("\"object\":\"chat.completion.chunk\",", "")]
    [InlineData("\"object\":", "\"type\":\"chunk\",\"object\":")]
    [InlineData("\"finish_reason\":null", "\"finish_reason\":\"\"")]
    [InlineData("\"choices\":[", "\"choices\":[null,")]
    public async Task Fields_may_be_null_or_missing_or_there_in_addition(string usual, string odd)
    {
        string[] chunks = [Chunk("\"content\":\"hel\""), Chunk("\"content\":null"), Chunk("\"content\":\"lo\""), Chunk("", "stop"), Usage];
        var odds = Array.ConvertAll(chunks, chunk => chunk.Replace(usual, odd, StringComparison.Ordinal));
        Assert.NotEqual(chunks, odds);
        var (body, fault, deltas) = await ReadAsync(Events(odds));
        Assert.Equal((AnswerFault.None, "hello", odds.Length), (fault, Content(body), deltas.Count));
        Assert.Equal(
            ("chat.completion", 0, 20),
            (
                (string?)JsonNode.Parse(body)!["object"],
                (int)JsonNode.Parse(body)!["choices"]![0]!["index"]!,
                (int)JsonNode.Parse(body)!["usage"]!["completion_tokens"]!));
    }

    [Fact]
    public async Task A_delta_of_null_is_none()
    {
        var (body, fault, _) = await ReadAsync(
            Events(Chunk("\"content\":\"hello\""), Chunk("").Replace("{}", "null", StringComparison.Ordinal), Chunk("", "stop")));
        Assert.Equal((AnswerFault.None, "hello"), (fault, Content(body)));
    }

    [Fact]
    public async Task Halves_of_a_character_come_together_and_a_half_alone_stays()
    {
        var whole = await ReadAsync(Events(Chunk("\"content\":\"a \\ud83d\""), Chunk("\"content\":\"\\ude00 b\""), Chunk("", "stop")));
        var half = await ReadAsync(Events(Chunk("\"content\":\"a \\ud83d\""), Chunk("", "length")));
        Assert.Contains("\"content\":\"a \\ud83d\\ude00 b\"", Encoding.UTF8.GetString(whole.Body), StringComparison.Ordinal);
        Assert.Equal(AnswerFlags.None, CompletionCheck.Of("/v1/chat/completions", whole.Body).Flags);
        Assert.Contains("\"content\":\"a \\ud83d\"", Encoding.UTF8.GetString(half.Body), StringComparison.Ordinal);
        Assert.Equal(AnswerFlags.Lenient | AnswerFlags.CutOff, CompletionCheck.Of("/v1/chat/completions", half.Body).Flags);
    }

    [Fact]
    public async Task Bytes_of_a_character_that_two_chunks_share_come_together()
    {
        var stream = Encoding.UTF8.GetBytes(Events(Chunk("\"content\":\"12\""), Chunk("\"content\":\"34\""), Chunk("", "stop")));
        byte[] rocket = [0xF0, 0x9F, 0x9A, 0x80];
        for (var n = 0; n < 4; n++)
            stream[
                stream.AsSpan().IndexOf("\"content\":\""u8) + 11 + (n % 2)
                    + (
                        n < 2
                            ? 0
                            : stream.AsSpan(stream.AsSpan().IndexOf("\"content\":\""u8) + 11).IndexOf("\"content\":\""u8)
                                + 11)] = rocket[n];
        var (body, fault) = await StreamedAnswer.ReadAsync(new MemoryStream(stream), 1_000_000, null, CancellationToken.None);
        Assert.Equal((AnswerFault.None, "🚀"), (fault, Content(body)));
    }

    [Theory]
    // Ollama: no index. vLLM: each call begins at index 0. Others: an id anew in each piece.
    [InlineData(
        """{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}|{"function":{"arguments":"1}"}}|{"id":"b","function":"""
            + """{"name":"f","arguments":"{}"}}""")]
    [InlineData(
        """{"index":0,"id":"a","function":{"name":"f","arguments":""}}|{"index":0,"id":"","function":"""
            + """{"name":null,"arguments":"{\"x\":1}"}}|{"index":0,"id":"b","function":{"name":"f","arguments":""}}|"""
            + """{"index":0,"function":{"arguments":"{}"}}""")]
    [InlineData(
        """{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}|{"index":0,"id":"z","function":{"arguments":":1}"}}|"""
            + """{"index":1,"id":"b","function":{"name":"f","arguments":"{}"}}""")]
    [InlineData(
        """{"index":1,"id":"b","function":{"name":"f","arguments":"{}"}}|{"index":0,"id":"a","function":"""
            + """{"name":"f","arguments":"{\"x\":1}"}}""")]
    [InlineData(
        """{"index":null,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":null,"id":"b","function":"""
            + """{"name":"f","arguments":"{}"}}""")]
    public async Task Pieces_of_calls_find_their_call(string pieces)
    {
        var (body, _, _) = await ReadAsync(
            Events([.. pieces.Split('|').Select(piece => Chunk($"\"tool_calls\":[{piece}]")), Chunk("", "tool_calls")]));
        Assert.Equal(
            """[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]""",
            JsonNode.Parse(body)!["choices"]![0]!["message"]!["tool_calls"]!.ToJsonString(
                new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }

    [Fact]
    public async Task Parts_of_the_reasoning_grow_by_their_index_and_keep_it()
    {
        static string Detail(string field) => Chunk($$"""
            "content":"","reasoning_details":[{"type":"reasoning.text",{{field}},"format":"f-1","index":0}]
            """.Trim());
        var (body, _, _) = await ReadAsync(
            Events(
                Detail("\"text\":\"I \""),
                Detail("\"text\":\"think\""),
                Detail("\"signature\":\"SIG\""),
                Chunk("\"content\":\"four\"", "stop")));
        Assert.Equal(
            """[{"type":"reasoning.text","text":"I think","format":"f-1","index":0,"signature":"SIG"}]""",
            JsonNode.Parse(body)!["choices"]![0]!["message"]!["reasoning_details"]!.ToJsonString());
    }

    [Fact]
    public async Task Parts_and_texts_of_one_content_are_both_kept()
    {
        var (body, _, _) = await ReadAsync(
            Events(Chunk("\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"}]"), Chunk("\"content\":\"four\"", "stop")));
        Assert.Equal(
            """[{"type":"thinking","thinking":"hm"},{"type":"text","text":"four"}]""",
            JsonNode.Parse(body)!["choices"]![0]!["message"]!["content"]!.ToJsonString());
    }

    [Fact]
    public async Task What_filters_find_is_replaced_and_the_whole_message_once_more_is_not_added_twice()
    {
        var (body, _, _) = await ReadAsync(Events(
            """{"choices":[{"index":0,"delta":{"content":"a"},"content_filter_results":{"hate":{"severity":"safe","filtered":false}}}]}""",
            """{"choices":[{"index":0,"delta":{"content":"b"},"content_filter_results":{"hate":{"severity":"safe","filtered":false}}}]}""",
            """{"choices":[{"index":0,"delta":{},"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}]}"""));
        var choice = JsonNode.Parse(body)!["choices"]![0]!;
        Assert.Equal(
            ("ab", "assistant", "safe"),
            (
                (string?)choice["message"]!["content"],
                (string?)choice["message"]!["role"],
                (string?)choice["content_filter_results"]!["hate"]!["severity"]));
    }

    [Fact]
    public async Task Usage_in_a_choice_or_in_each_chunk_is_the_usage()
    {
        var last = """{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":4}}]}""";
        var (inChoice, _, _) = await ReadAsync(Events(Chunk("\"content\":\"a\""), last));
        var (inEach, _, _) = await ReadAsync(Events(
            """{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}""",
            """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"""));
        Assert.Equal([new TokenUsage(3, 0, 4), new TokenUsage(3, 0, 4)], [AnswerBody.Read(inChoice).Usage, AnswerBody.Read(inEach).Usage]);
    }

    [Theory]
    [InlineData("event: error\ndata: {\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\",\"code\":529}}\n\n", 529)]
    [InlineData("data: {\"error\":{\"message\":\"busy\",\"type\":\"rate_limit\",\"code\":429}}\n\n", 429)]
    [InlineData("event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"busy\"}\n\n", 500)]
    [InlineData("data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n", 529)]
    [InlineData("data: {\"object\":\"error\",\"message\":\"busy\",\"code\":503}\n\n", 503)]
    [InlineData("event: error\ndata: {\"message\":\"busy\",\"code\":\"rate_limit_exceeded\"}\n\n", 429)]
    [InlineData(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"busy\"}}\n\n",
        502)]
    [InlineData(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\",\"error\":{\"code\":502,\"message\":\"busy\"}}]}\n\n",
        502)]
    [InlineData("data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"busy\"}}}\n\n", 500)]
    [InlineData("data: {\"code\":\"Throttling.RateQuota\",\"message\":\"busy\",\"request_id\":\"x\"}\n\n", 429)]
    [InlineData("data: {\"code\":20012,\"message\":\"busy: model foo does not exist\"}\n\n", 404)]
    [InlineData("event: exception\ndata: {\"message\":\"busy\",\"code\":500}\n\n", 500)]
    [InlineData("event: server_error\ndata: {\"message\":\"busy\",\"code\":503}\n\n", 503)]
    [InlineData("data: {\"choices\":[],\"base_resp\":{\"status_code\":1002,\"status_msg\":\"busy: rate limit\"}}\n\n", 429)]
    // llama.cpp, and servers that break off with JSON or a text of no event.
    [InlineData("error: {\"code\":500,\"message\":\"busy\",\"type\":\"server_error\"}\n\n", 500)]
    [InlineData("error:{\"error\":{\"code\":503,\"message\":\"busy\"}}\r\n\r\n", 503)]
    [InlineData("data:\n\n{\"error\":{\"message\":\"busy\",\"code\":429}}\n\n", 429)]
    [InlineData("data:\n\n{\n  \"error\": {\n    \"message\": \"busy\",\n    \"code\": 429\n  }\n}\n\n", 429)]
    [InlineData("data:\n\n{\"object\":\"error\",\"message\":\"busy\",\"code\":503}", 503)]
    [InlineData("data: {\"message\":\"busy: invalid api token\"}\n\n", 401)]
    public async Task An_error_in_any_shape_has_its_own_status_and_body_and_is_nobodys_delta(string end, int status)
    {
        foreach (var begin in (string[])["", Events(Chunk("\"content\":\"The answer is\""))])
        {
            var (body, fault, _) = await ReadAsync(begin + end + "data: [DONE]\n\n");
            var verdict = CompletionCheck.Of(null, body, 0, fault);
            Assert.Equal((false, status), (verdict.IsCompletion, verdict.ErrorStatus!.Value));
            Assert.Contains("busy", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", "incomplete_stream")]
    [InlineData("data: [DONE]\n\n", "incomplete_stream")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The\"},\"finish_reason\":null}]}\n\n", "incomplete_stream")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The\"}}]}\n\ndata: [DONE]\n\n", "incomplete_stream")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n", "incomplete_stream")]
    [InlineData(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n",
        "provider_error")]
    [InlineData(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"T\n\ndata: "
            + "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", "incomplete_stream")]
    [InlineData("data: oops\n\n", "incomplete_stream")]
    [InlineData("event: error\ndata: oops\n\n", "stream_error")]
    [InlineData("error: oops\n\n", "stream_error")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"T\"}}]}\n\n{\"x\":1}\n\n", "incomplete_stream")]
    [InlineData("data: {\"detail\":\"broke\"}\n\ndata: [DONE]\n\n", "error_in_answer")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"T\"},\"finish_reason\":\"abort\"}]}\n\ndata: [DONE]\n\n", "provider_error")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"T\"}}]}\n\ndata: {\"code\":0,\"message\":\"ok\"}\n\n", "incomplete_stream")]
    [InlineData("data: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\"}}\n\n", "incomplete_stream")]
    public async Task A_stream_that_ends_before_its_answer_does_is_none(string stream, string code)
    {
        var (body, fault, _) = await ReadAsync(stream);
        var verdict = CompletionCheck.Of(null, body, 0, fault);
        Assert.Equal((OutcomeKind.Transient, code), (verdict.Kind, verdict.Code));
    }

    [Theory]
    [InlineData("error: {\"message\":\"usage is missing\"}\n\n")]
    [InlineData("{\"error\":{\"message\":\"late\"}}\n\n")]
    public async Task An_error_behind_a_whole_answer_changes_nothing(string error)
    {
        var (body, fault, _) = await ReadAsync(Events(Chunk("\"content\":\"hello\""), Chunk("", "stop")) + error);
        Assert.Equal((AnswerFault.None, "hello"), (fault, Content(body)));
    }

    [Fact]
    public async Task The_sentence_of_an_error_without_an_event_is_kept_however_it_is_cut_into_reads()
    {
        var stream = Encoding.UTF8.GetBytes(Events(Chunk("\"content\":\"The\"")) + "error: upstream broke\r\n\r\n");
        for (var size = 1; size < 20; size++)
        {
            var read = new SmallReads(stream, size);
            var (body, fault) = await StreamedAnswer.ReadAsync(read, 1_000_000, null, CancellationToken.None);
            Assert.Equal((AnswerFault.ErrorEvent, "upstream broke"), (fault, Encoding.UTF8.GetString(body)));
        }
    }

    [Fact]
    public async Task An_answer_and_an_event_that_are_too_large_are_not_kept()
    {
        var many = Enumerable.Repeat(Chunk($"\"content\":\"{new string('x', 100)}\""), 200).ToArray();
        await Assert.ThrowsAsync<AnswerTooLargeException>(
            () => StreamedAnswer.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(Events(many))), 10_000, null, CancellationToken.None));
        var endless = new MemoryStream(Encoding.UTF8.GetBytes("data: " + new string('x', 1_000_000)));
        await Assert.ThrowsAsync<AnswerTooLargeException>(() => StreamedAnswer.ReadAsync(endless, 10_000, null, CancellationToken.None));
        Assert.True(endless.Position < 500_000, $"{endless.Position} bytes were read");
    }

    private sealed class SmallReads(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
    }

    private static string Chunk(string delta, string? finish = null) =>
        $$$"""{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{{{{delta}}}},"finish_reason":{{{(finish is null ? "null" : $"\"{finish}\"")}}}}]}""";

    private static string Events(params string[] data) => string.Concat(data.Select(one => $"data: {one}\n\n"));

    private static string? Content(byte[] body) => (string?)JsonNode.Parse(body)!["choices"]![0]!["message"]!["content"];

    private static async Task<(byte[] Body, AnswerFault Fault, List<string> Deltas)> ReadAsync(string stream)
    {
        var deltas = new List<string>();
        var (body, fault) = await StreamedAnswer.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(stream)), 1_000_000, DeltasIn.List(deltas), CancellationToken.None);
        return (body, fault, deltas);
    }
}
