using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline.Tests;

/// <summary><see cref="JsonReading"/>, and its users before names that hold half a surrogate pair.</summary>
public sealed class ReadingFieldNames
{
    private static bool IsText(string json, string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
        reader.Read();
        return reader.IsText(Encoding.ASCII.GetBytes(text));
    }

    [Theory]
    [InlineData("\"usage\"", "usage")]
    [InlineData("\"us\\u0061ge\"", "usage")]
    [InlineData("\"\\u0075\\u0073\\u0061\\u0067\\u0065\"", "usage")]
    [InlineData("\"a\\/b\"", "a/b")]
    [InlineData("\"\\\"\\\\\"", "\"\\")]
    [InlineData("\"\"", "")]
    public void A_name_is_found_however_it_is_escaped(string json, string name) => Assert.True(IsText(json, name));

    [Theory]
    [InlineData("\"usage \"")]
    [InlineData("\"usag\"")]
    [InlineData("\"usage\\u0000\"")]
    [InlineData("\"usag\\n\"")]
    [InlineData("\"\\ud83d\"")]
    [InlineData("\"usage\\ud83d\"")]
    [InlineData("\"\\u0175sage\"")]
    [InlineData("\"usag\\u0065\\u0065\"")]
    public void Another_name_is_not(string json) => Assert.False(IsText(json, "usage"));

    [Fact]
    public void A_body_is_read_although_a_name_in_it_is_no_text()
    {
        Assert.True(StreamFields.IsStreamed("""{"\ud83d":1,"stream":true}"""u8.ToArray()));
        Assert.Equal(new AnswerBody(true, new TokenUsage(3, 1, 2)), AnswerBody.Read("""{"\ud83d":1,"usage":{"\udc00":1,"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"\udc00":0,"cached_tokens":1}}}"""u8.ToArray()));
        Assert.Equal(
            7, ReasoningTokens.Of("""{"\ud83d":1,"usage":{"\udc00":1,"completion_tokens_details":{"\udc00":0,"reasoning_tokens":7}}}"""u8));
        Assert.Equal("m", CallBody.Read("""{"\ud83d":1,"model":"m"}"""u8.ToArray()).Model);
    }

    [Fact]
    public async Task A_call_of_the_gateways_own_with_such_a_name_is_refused()
    {
        var context = new DefaultHttpContext();
        context.Request.ContentType = "application/json";
        context.Request.Body = new MemoryStream("""{"model":"m","\ud83d":1}"""u8.ToArray());
        using var fields = await JsonFields.ReadAsync(context.Request, default);

        Assert.Equal(400, Assert.Throws<ApiException>(() => fields.Text("model")).Error.Status);
        var error =
            Assert.Throws<ApiException>(() => JsonFields.ReadSome("""{"model":"m","\ud83d":1}"""u8.ToArray(), 1).Objects[0].Text("model"));
        Assert.Equal(400, error.Error.Status);
    }
}
