using System.Text;

namespace LlmPipeline.Tests;

public sealed class ReplacingTheModel
{
    [Theory]
    [InlineData("""{"model":"a","x":1}""", """{"model":"B","x":1}""")]
    [InlineData("\t{ \"x\" : 1.0e+02 ,\n  \"model\"  :  \"a\"  ,\"y\":{\"model\":\"a\"}, \"z\":[\"model\"]}\r\n ", "\t{ \"x\" : 1.0e+02 ,\n  \"model\"  :  \"B\"  ,\"y\":{\"model\":\"a\"}, \"z\":[\"model\"]}\r\n ")]
    [InlineData("""{"mod\u0065l":"a"}""", """{"mod\u0065l":"B"}""")]
    [InlineData("""{"model":"a","model":"a"}""", """{"model":"B","model":"B"}""")]
    [InlineData("""{"model":"a","model":"B"}""", """{"model":"B","model":"B"}""")]
    [InlineData("""{"model":null,"x":{"a":[1,{"b":2}]}}""", """{"model":"B","x":{"a":[1,{"b":2}]}}""")]
    [InlineData("""{"model":{"a":[1]},"x":1}""", """{"model":"B","x":1}""")]
    [InlineData("\uFEFF{\"é\":\"漢\",\"model\":\"a\"}", "\uFEFF{\"é\":\"漢\",\"model\":\"B\"}")]
    [InlineData("""{"model":"B", "x" : 1}""", """{"model":"B", "x" : 1}""")]
    [InlineData("""{"model":"\u0042"}""", """{"model":"\u0042"}""")]
    [InlineData("""{"x":1}""", """{"x":1}""")]
    [InlineData("""{"model":"a",""", """{"model":"a",""")]
    [InlineData("""["model"]""", """["model"]""")]
    public void Only_the_value_of_the_top_level_model_changes(string body, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(ModelField.Replace(Encoding.UTF8.GetBytes(body), "B").Span));

    [Fact]
    public void A_name_is_written_as_a_JSON_string() =>
        Assert.Equal("""{"model":"a\u0022b\\"}""", Encoding.UTF8.GetString(ModelField.Replace("""{"model":"x"}"""u8.ToArray(), "a\"b\\").Span));

    [Theory]
    [InlineData("""{"model":"a","x":1}""", """{"model":"B","x":1}""")]
    [InlineData("""{"model":null}""", """{"model":"B"}""")]
    [InlineData("""{"x":1}""", """{"model":"B","x":1}""")]
    [InlineData("""{"x":{"model":"a"}}""", """{"model":"B","x":{"model":"a"}}""")]
    [InlineData("\uFEFF { \r\n\t\"é\":1 }", "\uFEFF {\"model\":\"B\", \r\n\t\"é\":1 }")]
    [InlineData(" {} ", " {\"model\":\"B\"} ")]
    [InlineData("{ \n}", "{\"model\":\"B\" \n}")]
    [InlineData("""{"x":1""", """{"x":1""")]
    [InlineData("""{"x":1} y""", """{"model":"B","x":1} y""")]
    [InlineData("[]", "[]")]
    [InlineData("", "")]
    public void A_model_that_is_missing_is_added(string body, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(ModelField.Set(Encoding.UTF8.GetBytes(body), "B").Span));
}
