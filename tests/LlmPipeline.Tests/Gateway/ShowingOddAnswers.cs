using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline.Tests;

/// <summary><see cref="JobView"/> and <see cref="CallAnswer"/> with bodies, ids and status codes that no client expects.</summary>
public sealed class ShowingOddAnswers
{
    private static JobResult Result(byte[] body, ResultStatus status = ResultStatus.Completed, int? code = 200, string? request = null) =>
        new()
        {
            JobId = "j",
            Status = status,
            Response = body,
            Meta = new ResultMeta
            {
                StatusCode = code,
                RequestId = request,
                Error = status == ResultStatus.Completed ? null : new ResultError("x", "y"),
            },
        };

    private static DefaultHttpContext Context()
    {
        var context = new DefaultHttpContext();
        context.Features.Set(new RequestId("0"));
        return context;
    }

    private static string Shown(byte[] body)
    {
        byte[] json = [.. JobView.OfEnded("j", new JobRecord { Model = "m" }, Result(body)).ToJson().SelectMany(part => part.ToArray())];
        Assert.True(Utf8.IsValid(json));
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 1000 });
        return document.RootElement.GetProperty("result").GetProperty("body").GetRawText();
    }

    [Theory]
    [InlineData("""{"a": 1.50, "a":2, "half":"\ud83d"}""", """{"a": 1.50, "a":2, "half":"\ud83d"}""")]
    [InlineData("""{"logprob":NaN,"text":"NaN"}""", """{"logprob":null,"text":"NaN"}""")]
    [InlineData("\uFEFF{}", "{}")]
    [InlineData("{\"cut", "\"{\\\"cut\"")]
    [InlineData("<html>", "\"<html>\"")]
    [InlineData("{}{}", "\"{}{}\"")]
    [InlineData("", "\"\"")]
    public void A_job_is_json_whatever_its_answer_is(string body, string shown) => Assert.Equal(shown, Shown(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public void A_job_is_valid_utf8_whatever_its_answer_is()
    {
        Assert.Equal("{\"a\":\"\uFFFD\"}", Shown([.. "{\"a\":\""u8, 0xE9, .. "\"}"u8]));
        Assert.StartsWith("\"", Shown([0xFF, 0x00, 0x80]), StringComparison.Ordinal);
        Assert.StartsWith("\"", Shown(Encoding.UTF8.GetBytes(new string('[', 2000) + new string(']', 2000))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ResultStatus.Completed, 200, 200)]
    [InlineData(ResultStatus.Completed, 201, 201)]
    [InlineData(ResultStatus.Completed, 204, 200)]
    [InlineData(ResultStatus.Completed, 999, 200)]
    [InlineData(ResultStatus.Completed, 42, 200)]
    [InlineData(ResultStatus.Failed, 400, 400)]
    [InlineData(ResultStatus.Failed, 529, 529)]
    [InlineData(ResultStatus.Failed, 600, 502)]
    [InlineData(ResultStatus.Failed, 999, 502)]
    [InlineData(ResultStatus.Failed, -7, 502)]
    [InlineData(ResultStatus.Failed, 200, 502)]
    public async Task A_status_is_one_that_http_has(ResultStatus status, int stored, int answered)
    {
        var context = Context();
        await CallAnswer.WriteAsync(context, Result("{}"u8.ToArray(), status, stored));

        Assert.Equal(answered, context.Response.StatusCode);
    }

    [Fact]
    public async Task A_request_id_is_a_header_whatever_the_provider_made_of_it()
    {
        var context = Context();
        await CallAnswer.WriteAsync(context, Result("{}"u8.ToArray(), request: "req\r\nx: é"));

        Assert.Equal("req??x: ?", RequestId.Of(context).OfProvider);
    }

    [Fact]
    public async Task A_refusal_that_is_no_json_for_every_client_has_openais_shape()
    {
        var context = Context();
        using var body = new MemoryStream();
        context.Response.Body = body;
        await CallAnswer.WriteAsync(context, Result([.. "{\"error\":\""u8, 0xE9, .. "\"}"u8], ResultStatus.Failed, 400));

        using var error = JsonDocument.Parse(body.ToArray());
        Assert.Equal("x", error.RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_completion_goes_out_byte_for_byte()
    {
        byte[] bytes = [.. "\uFEFF{\"a\":NaN, \"b\":\""u8, 0xE9, .. "\u2028\"}\n"u8];
        var context = Context();
        using var body = new MemoryStream();
        context.Response.Body = body;
        await CallAnswer.WriteAsync(context, Result(bytes));

        Assert.Equal(bytes, body.ToArray());
    }
}
