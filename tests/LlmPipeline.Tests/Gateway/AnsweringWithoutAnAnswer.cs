using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>
/// Covers <see cref="CallAnswer"/> and <see cref="BatchLine"/> for jobs that failed although their answer came with HTTP 200.
/// </summary>
public sealed class AnsweringWithoutAnAnswer
{
    [Theory]
    [InlineData("""{"error":{"message":"Provider returned error","code":502}}""", "Provider returned error")]
    [InlineData("""{"error":"out of luck"}""", "out of luck")]
    [InlineData(
        """{"choices":[{"message":{"content":""},"finish_reason":"error","error":{"message":"Upstream error"}}]}""", "Upstream error")]
    [InlineData("""{"object":"error","message":"busy"}""", "busy")]
    [InlineData("""{"choices":[]}""", "ours")]
    [InlineData("<html>", "ours")]
    [InlineData("""{"error":{"message":"\ud83d"}}""", "ours")]
    [InlineData("", "ours")]
    public void The_caller_gets_an_error_with_the_providers_code_and_sentence(string body, string message)
    {
        var error = CallAnswer.Error(Failed(body))!;
        Assert.Equal((502, "code-1", message), (error.Status, error.Code, error.Message));
    }

    [Fact]
    public void A_line_of_output_keeps_the_body_beside_the_error_and_is_no_completion()
    {
        var line = BatchLine.Of(Failed("""{"choices":[]}"""));
        Assert.False(line.IsCompletion);
        var written = new ArrayBufferWriter<byte>();
        line.WriteTo(written);
        var json = JsonNode.Parse(written.WrittenSpan)!;
        Assert.Equal(
            (200, """{"choices":[]}""", "code-1"),
            ((int)json["response"]!["status_code"]!, json["response"]!["body"]!.ToJsonString(), (string?)json["error"]!["code"]));
    }

    private static JobResult Failed(string body) => new()
    {
        JobId = "b.1",
        Status = ResultStatus.Failed,
        Response = Encoding.UTF8.GetBytes(body),
        Meta = new ResultMeta { StatusCode = 200, Error = new ResultError("code-1", "ours") },
    };
}
