using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

public sealed class WritingOutputLines
{
    private static OutputLine Line(string body, int status = 200) =>
        new() { JobId = "b-1.7", CustomId = "mine", StatusCode = status, RequestId = "req_9", Body = Encoding.UTF8.GetBytes(body) };

    private static string BodyOf(string body, int status = 200)
    {
        string text = OutputFolder.Text(Line(body, status));
        const string before = "\"body\":";
        Assert.EndsWith("},\"error\":null}\n", text, StringComparison.Ordinal);
        return text[(text.IndexOf(before, StringComparison.Ordinal) + before.Length)..^"},\"error\":null}\n".Length];
    }

    [Fact]
    public void A_completion_has_the_shape_of_the_batch_format() =>
        Assert.Equal(
            """{"id":"batch_req_b-1.7","custom_id":"mine","response":{"status_code":200,"request_id":"req_9","body":{"a":1}},"error":null}""" + "\n",
            OutputFolder.Text(Line("""{"a":1}""")));

    [Fact]
    public void A_row_without_an_http_answer_has_an_error_and_no_response() =>
        Assert.Equal(
            """{"id":"batch_req_b-1.7","custom_id":"mine","response":null,"error":{"code":"batch_expired","message":"too late"}}""" + "\n",
            OutputFolder.Text(new OutputLine { JobId = "b-1.7", CustomId = "mine", ErrorCode = "batch_expired", ErrorMessage = "too late" }));

    [Fact]
    public void An_http_error_stands_in_the_body_and_nowhere_else()
    {
        OutputLine line = Line("""{"error":{"message":"bad"}}""", 400) with { ErrorCode = "invalid", ErrorMessage = "bad" };

        Assert.False(line.IsCompletion);
        Assert.Contains("\"status_code\":400", OutputFolder.Text(line), StringComparison.Ordinal);
        Assert.EndsWith("\"error\":null}\n", OutputFolder.Text(line), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cut_answer_with_status_200_is_never_read_back_as_a_completion()
    {
        OutputLine line = Line("""{"choices":[""") with { ErrorCode = "not_json", ErrorMessage = "the answer was cut" };

        Assert.False(line.IsCompletion);
        Assert.True(OutputLineHead.TryRead(Encoding.UTF8.GetBytes(OutputFolder.Text(line)), out OutputLineHead head));
        Assert.False(head.IsCompletion);
    }

    [Fact]
    public void A_row_with_neither_answer_nor_reason_still_has_an_error()
    {
        using JsonDocument line = JsonDocument.Parse(OutputFolder.Text(new OutputLine { JobId = "b.1", CustomId = "x" }));

        Assert.Equal("no_answer", line.RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("""{ "x" : 1.0, "x":1e400 , "y":-0.0, "z":"\u00e9\/\ud83d\ude00" }""")]
    [InlineData("""{"x":"a\nb\r","big":123456789012345678901234567890}""")]
    [InlineData("\t{\"tab\":\t\"é 😀 – “x”\"}  ")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("{\"half\":\"\\ud83d\"}")]
    public void A_json_body_is_copied_byte_for_byte(string body) => Assert.Equal(body, BodyOf(body));

    [Fact]
    public void Line_breaks_between_tokens_go_and_other_white_space_stays() =>
        Assert.Equal("{  \"a\": [ 1,  2],\t\"b\": \"x\\ny\"}", BodyOf("{\r\n  \"a\": [\n 1,\r  2],\n\t\"b\": \"x\\ny\"\n}\n"));

    [Theory]
    [InlineData("<html>\n<b>\"502\"\\ é 😀</b>\u0001</html>")]
    [InlineData("")]
    [InlineData("{\"cut\":")]
    [InlineData("{} {}")]
    [InlineData("{\"raw\":\"line\nbreak\"}")]
    [InlineData("{'a':1}")]
    [InlineData("{\"a\":1,}")]
    [InlineData("// no\n{}")]
    public void A_body_that_is_not_json_becomes_a_json_string(string body)
    {
        string written = BodyOf(body, 502);

        Assert.DoesNotContain('\n', written);
        Assert.Equal(body, JsonSerializer.Deserialize<string>(written));
    }

    [Fact]
    public void Bytes_that_are_not_utf8_never_reach_the_file()
    {
        foreach (byte[] body in new byte[][] { [.. "{\"a\":\""u8, 0xE9, .. "\"}"u8], [0xFF, 0xFE, 0x00], [.. "caf"u8, 0xE9] })
        {
            var buffer = new ArrayBufferWriter<byte>();
            (Line("") with { Body = body }).WriteTo(buffer);

            Assert.True(System.Text.Unicode.Utf8.IsValid(buffer.WrittenSpan));
            using JsonDocument _ = JsonDocument.Parse(buffer.WrittenMemory);
        }

        Assert.Equal("{\"a\":\"\uFFFD\"}", BodyOfBytes([.. "{\"a\":\""u8, 0xE9, .. "\"}"u8]));
        static string BodyOfBytes(byte[] body) => BodyOf(Encoding.UTF8.GetString(body));
    }

    [Theory]
    [InlineData(
        "{\"a\":\"one\u2028two\u2029three\u0085\",\"\u2028\":\"\u2027\u202A\u0084\u0086\"}",
        "{\"a\":\"one\\u2028two\\u2029three\\u0085\",\"\\u2028\":\"\u2027\u202A\u0084\u0086\"}")]
    [InlineData("{\"a\":\"\\\\\u2028\"}", "{\"a\":\"\\\\\\u2028\"}")]
    [InlineData("\"\u2028\"", "\"\\u2028\"")]
    public void Line_separators_in_strings_are_escaped(string body, string written) => Assert.Equal(written, BodyOf(body));

    [Theory]
    [InlineData(
        """{"logprob":NaN,"a":[-Infinity,Infinity , +inf,nan],"text":"NaN, \"Infinity\" \\"}""",
        """{"logprob":null,"a":[null,null , null,null],"text":"NaN, \"Infinity\" \\"}""")]
    [InlineData("\uFEFF{\"a\":NaN}", """{"a":null}""")]
    [InlineData("""{"half":"\ud83d","n":NaN}""", """{"half":"\ud83d","n":null}""")]
    public void A_number_that_is_none_is_null(string body, string written) => Assert.Equal(written, BodyOf(body));

    [Theory]
    [InlineData("{NaN:1}")]
    [InlineData("{\"a\":Nano}")]
    [InlineData("NaN NaN")]
    public void Nothing_else_is_repaired(string body) => Assert.Equal(body, JsonSerializer.Deserialize<string>(BodyOf(body)));

    [Fact]
    public void Every_reader_of_lines_finds_one_line_of_json_whatever_the_texts_are()
    {
        foreach (string text in SanitizingText.AllOfUnicode())
        {
            string json = JsonSerializer.Serialize(
                new { text },
                new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            string raw = string.Concat(text.Where(c => c is not ('"' or '\\') && c >= ' '));
            foreach (string body in new[] { json, $"{{\"text\":\"{raw}\"}}", text, $"{{\"text\":\"{raw}\",\"n\":NaN}}" })
            {
                var buffer = new ArrayBufferWriter<byte>();
                (Line("") with { Body = Encoding.UTF8.GetBytes(body), CustomId = text }).WriteTo(buffer);
                string line = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(buffer.WrittenSpan);

                // The list of Python's str.splitlines.
                Assert.Equal(
                    line.Length - 1, line.IndexOfAny(['\n', '\r', '\v', '\f', '\u001C', '\u001D', '\u001E', '\u0085', '\u2028', '\u2029']));
                using JsonDocument parsed = JsonDocument.Parse(line);
                JsonElement written = parsed.RootElement.GetProperty("response").GetProperty("body");
                Assert.Equal(
                    Whole(body == text ? text : body == json ? text : raw),
                    written.ValueKind == JsonValueKind.String ? written.GetString() : written.GetProperty("text").GetString());
            }
        }

        // Half a surrogate pair has no UTF-8.
        static string Whole(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
    }

    [Fact]
    public void A_line_of_an_earlier_version_is_renamed_to_one_without_line_separators()
    {
        var buffer = new ArrayBufferWriter<byte>();

        Assert.True(
            OutputLine.TryRename(
                "{\"id\":\"batch_req_a.1\",\"custom_id\":\"x\",\"response\":{\"status_code\":200,\"body\":\"\u2028\"},\"error\":null}"u8,
                "b.2",
                "y",
                buffer));
        Assert.Equal(
            "{\"id\":\"batch_req_b.2\",\"custom_id\":\"y\",\"response\":{\"status_code\":200,\"body\":\"\\u2028\"},\"error\":null}\n",
            Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    [Fact]
    public void A_byte_order_mark_before_json_goes() => Assert.Equal("{}", BodyOf("\uFEFF{}"));

    [Fact]
    public void Deep_bodies_are_copied_and_read_back()
    {
        string deep = new string('[', 100_000) + new string(']', 100_000);

        Assert.Equal(deep, BodyOf(deep));
        Assert.True(OutputLineHead.TryRead(Encoding.UTF8.GetBytes(OutputFolder.Text(Line(deep))), out OutputLineHead head));
        Assert.True(head.IsCompletion);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("q\"uote\\ <a&b> 'x' \r\n\t\u0001 \u2028 é 😀")]
    public void Custom_ids_arrive_as_they_are(string id)
    {
        using JsonDocument line = JsonDocument.Parse(OutputFolder.Text(Line("{}") with { CustomId = id, RequestId = id }));

        Assert.Equal(id, line.RootElement.GetProperty("custom_id").GetString());
        Assert.Equal(id, line.RootElement.GetProperty("response").GetProperty("request_id").GetString());
    }

    [Fact]
    public void A_missing_request_id_is_an_empty_string_and_half_a_surrogate_pair_does_not_throw()
    {
        string text = OutputFolder.Text(Line("{}") with { CustomId = "a\ud83d", RequestId = null });

        Assert.Contains("\"request_id\":\"\"", text, StringComparison.Ordinal);
        Assert.Contains("\uFFFD", JsonDocument.Parse(text).RootElement.GetProperty("custom_id").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"id":"batch_req_b-1.12","custom_id":"x","response":{"status_code":200,"body":{"error":{"a":[1]}}},"error":null}""", "b-1", 12, true)]
    [InlineData("""{"id":"batch_req_b-1.12","response":{"body":{"status_code":200},"status_code":500},"error":null}""", "b-1", 12, false)]
    [InlineData("""{"error":{"code":"x"},"response":null,"custom_id":"x","id":"batch_req_a.b.3"}""", "a.b", 3, false)]
    [InlineData(""" { "id" : "batch_req_b.2147483647", "response": {"status_code": 204}} """, "b", int.MaxValue, true)]
    [InlineData("""{"id":"batch\u005freq_b.1","response":{"status_code":200},"error":null}""", "b", 1, true)]
    public void A_line_tells_its_batch_its_row_and_how_it_ended(string line, string batch, int row, bool isCompletion)
    {
        Assert.True(OutputLineHead.TryRead(Encoding.UTF8.GetBytes(line), out OutputLineHead head));
        Assert.Equal((batch, row, isCompletion), (Encoding.UTF8.GetString(head.Batch), head.Row, head.IsCompletion));
    }

    [Theory]
    [InlineData("""{"id":"batch_req_b.1","response":{"status_code":200},"error":null""")]
    [InlineData("""{"id":"batch_req_b.1","response":{"status_code":200},"error":null}}""")]
    [InlineData("""{"id":"batch_req_b.1"}""")]
    [InlineData("""{"id":"batch_req_b.0","response":{"status_code":200}}""")]
    [InlineData("""{"id":"batch_req_b.01","response":{"status_code":200}}""")]
    [InlineData("""{"id":"batch_req_b.+1","response":{"status_code":200}}""")]
    [InlineData("""{"id":"batch_req_b.2147483648","response":{"status_code":200}}""")]
    [InlineData("""{"id":"batch_req_.1","response":{"status_code":200}}""")]
    [InlineData("""{"id":"batch_req_b","response":{"status_code":200}}""")]
    [InlineData("""{"id":"batch_req_\ud83d.1","response":{"status_code":200}}""")]
    [InlineData("""{"id":5,"response":{"status_code":200}}""")]
    [InlineData("""{"custom_id":"request-1","method":"POST","url":"/v1/x","body":{}}""")]
    [InlineData("[1]")]
    [InlineData("")]
    [InlineData("text")]
    public void What_is_not_a_whole_output_line_is_not_taken_for_one(string line) =>
        Assert.False(OutputLineHead.TryRead(Encoding.UTF8.GetBytes(line), out _));
}
