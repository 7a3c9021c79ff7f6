using System.Text.Json;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingRows
{
    [Fact]
    public async Task Fields_are_variables()
    {
        var rows = await RowsOfAsync("""{"question":"why?","n":1.50,"ok":true,"none":null,"list":[1, "two"],"o":{"a" : 1},"":"unnamed"}""", Prompt("question"));
        var row = Assert.Single(rows);
        Assert.Equal(
            new() { ["question"] = "why?", ["n"] = "1.50", ["ok"] = "true", ["none"] = "", ["list"] = """[1, "two"]""", ["o"] = """{"a" : 1}""", [""] = "unnamed" },
            new Dictionary<string, string>(row.Variables!));
        Assert.Equal(("default-model", null, 0), (row.Model, row.Url, row.Body.Length));
    }

    [Theory]
    [InlineData("quotes \" ' and \\ < & > &lt; {{$x}} {{x}} <message role=\"system\">")]
    [InlineData("lines\nand\r\nmore\u2028\u2029\u0085")]
    [InlineData("controls \0\u0001\b\t\u001b\u007f")]
    [InlineData("emoji 😀👩‍👩‍👧 \u200b\ufeff é e\u0301")]
    public async Task Any_text_arrives_as_it_was_typed(string text)
    {
        var escaped = JsonSerializer.Serialize(new Dictionary<string, string> { ["question"] = text, [text] = "as a name" });
        var row = Assert.Single(await RowsOfAsync(escaped, Prompt("question")));
        Assert.Equal(text, row.Variables!["question"]);
        Assert.Equal("as a name", row.Variables[text]);
    }

    [Theory]
    [InlineData("""{"question":"q","custom_id":"c","id":"i"}""", "c")]
    [InlineData("""{"id":"i","custom_id":"c"}""", "c")]
    [InlineData("""{"question":"q","id":"i"}""", "i")]
    [InlineData("""{"question":"q","id":17}""", "17")]
    [InlineData("""{"question":"q","custom_id":null,"id":"i"}""", "i")]
    [InlineData("""{"question":"q","custom_id":"","id":""}""", "line-1")]
    [InlineData("""{"question":"q","id":{"x":1}}""", "line-1")]
    [InlineData("""{"question":"q","id":true}""", "line-1")]
    public async Task A_row_is_named_by_custom_id_else_by_id_else_by_its_line(string line, string name)
    {
        var row = Assert.Single(await RowsOfAsync(line, Prompt()));
        Assert.Equal(name, row.CustomId);
        using var json = JsonDocument.Parse(line);
        Assert.Equal(json.RootElement.EnumerateObject().Select(p => p.Name), row.Variables!.Keys);
    }

    [Fact]
    public async Task A_row_without_a_variable_that_is_needed_is_an_error()
    {
        using var sample = new InputSample("{\"question\":\"q\",\"context\":\"\"}\n{\"question\":\"q\"}\n{\"question\":null,\"context\":\"\"}\n{\"Question\":\"\",\"context\":\"\"}");
        Assert.Equal(
            [
                "F:2: context: missing; the prompt function ask needs it, and the row has question",
                "F:3: question: missing; the prompt function ask needs it, and the row has context",
                "F:4: question: missing; the prompt function ask needs it, and the row has Question, context; is it Question? Then rename that, or write {{$Question}} in the template",
            ],
            await sample.ErrorsAsync(Prompt("question", "context")));
    }

    [Theory]
    [InlineData("""{"a":"1","a":"2"}""", "F:1: a: stands there twice")]
    [InlineData("""{"a":"1","\u0061":"2"}""", "F:1: a: stands there twice")]
    [InlineData("""{"a":"x\ud800y"}""", @"F:1: a: holds half of a surrogate pair (a \ud800 to \udfff that stands alone)")]
    [InlineData("""{"\ud800":"x"}""", @"F:1: a field's name holds half of a surrogate pair (a \ud800 to \udfff that stands alone)")]
    public async Task A_row_that_can_not_be_told_as_variables_is_an_error(string line, string error) =>
        Assert.Equal(error, await ErrorOfAsync(line, Prompt()));

    [Fact]
    public async Task Rows_go_to_the_model_that_is_asked_for()
    {
        var rows = await RowsOfAsync("""{"text":"x"}""", new() { DefaultModel = "d", Model = "asked", PromptName = "ask" });
        Assert.Equal("asked", rows[0].Model);
    }
}
