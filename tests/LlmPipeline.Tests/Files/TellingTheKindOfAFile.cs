using System.Text.Json;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class TellingTheKindOfAFile
{
    [Fact]
    public async Task Lines_with_a_body_are_batch_lines() =>
        Assert.Equal(InputKind.BatchLines, await KindOfAsync(BatchLine("a")));

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]}""")]
    [InlineData("""{"model":"m","input":"x"}""")]
    [InlineData("""{"model":"m","prompt":"x"}""")]
    public async Task Objects_with_messages_input_or_prompt_are_request_bodies(string line) =>
        Assert.Equal(InputKind.Requests, await KindOfAsync(line));

    [Theory]
    [InlineData("""{"question":"x"}""")]
    [InlineData("""{"messages":"a field like any other"}""")]
    [InlineData("""{"custom_id":"a","url":"https://example.org","body":"the text of a page"}""")]
    public async Task Objects_with_a_prompt_function_are_rows(string line) =>
        Assert.Equal(InputKind.Rows, await KindOfAsync(line, Prompt()));

    [Fact]
    public async Task Other_lines_with_a_prompt_function_are_csv() =>
        Assert.Equal(InputKind.CsvRows, await KindOfAsync("question\nwhy?\n", Prompt("question")));

    [Theory]
    [InlineData("What is 6 times 7?")]
    [InlineData("[INST] hello [/INST]")]
    [InlineData("\"quoted\"")]
    [InlineData("42")]
    public async Task Other_lines_are_plain_text(string line) =>
        Assert.Equal(InputKind.Text, await KindOfAsync(line));

    [Fact]
    public async Task The_first_line_that_is_not_blank_tells() =>
        Assert.Equal(InputKind.BatchLines, await KindOfAsync("\n   \n\t\r\n\u00A0\u3000\n" + BatchLine("a")));

    [Fact]
    public async Task Rows_of_data_without_a_prompt_function_are_an_error() =>
        Assert.Equal("F:2: a row of data needs --prompt NAME, or --template '{{$question}}' to send a field (a request would hold messages, input or prompt, and its model); its fields are question", await ErrorOfAsync("\n{\"question\":\"x\"}\n{}"));

    [Fact]
    public async Task Batch_lines_with_a_prompt_function_are_an_error() =>
        Assert.Equal("F:1: an OpenAI Batch line holds its own prompt; leave out --prompt ask", await ErrorOfAsync(BatchLine("a"), Prompt()));

    [Fact]
    public async Task A_brace_that_starts_no_json_is_an_error_of_its_line()
    {
        using var sample = new InputSample("\n{name} is who?\nmore");
        Assert.StartsWith("F:2: not valid JSON: ", await sample.ErrorAsync());
        Assert.Null((await sample.CheckAsync()).Kind);
    }

    [Fact]
    public async Task Json_over_several_lines_is_an_error() =>
        Assert.StartsWith("F:1: not valid JSON: the object does not end on this line", await ErrorOfAsync("{\n  \"model\": \"m\"\n}\n"));

    [Theory]
    [InlineData("[{\"model\":\"m\"},{}]")]
    [InlineData("[\n{\"model\":\"m\"}\n]")]
    [InlineData("[{\"model\":\"m\"},\n{}]")]
    [InlineData("[1, 2]")]
    public async Task A_json_array_is_an_error(string text)
    {
        Assert.Equal("F:1: a JSON array; one JSON object a line is wanted (jq -c '.[]' FILE writes them so)", await ErrorOfAsync(text));
        Assert.Equal("F:1: a JSON array; one JSON object a line is wanted (jq -c '.[]' FILE writes them so)", await ErrorOfAsync(text, Prompt()));
    }

    [Fact]
    public async Task System_and_settings_do_not_go_with_lines_that_hold_their_own()
    {
        var settings = new Dictionary<string, JsonElement> { ["temperature"] = JsonElement.Parse("0") };
        Assert.Contains("--system", await ErrorOfAsync(BatchLine("a"), new() { DefaultModel = "d", System = "s" }));
        Assert.Contains("--set", await ErrorOfAsync("""{"model":"m","input":"x"}""", new() { DefaultModel = "d", Settings = settings }));
    }

    [Fact]
    public async Task Every_later_line_must_be_of_the_same_kind()
    {
        Assert.StartsWith("F:2: not valid JSON", await ErrorOfAsync(BatchLine("a") + "\nplain text"));
        Assert.Equal("F:2: must be a JSON object", await ErrorOfAsync(BatchLine("a") + "\n[]"));
        Assert.Equal("F:2: method: missing", await ErrorOfAsync(BatchLine("a") + "\n{\"model\":\"m\",\"messages\":[]}"));
        Assert.Equal("F:2: a request body needs messages, input or prompt", await ErrorOfAsync("{\"model\":\"m\",\"input\":\"x\"}\n" + BatchLine("a")));
        Assert.Equal("F:2: must be a JSON object", await ErrorOfAsync("{\"model\":\"m\",\"input\":\"x\"}\n42"));
        Assert.Equal("F:2: must be a JSON object", await ErrorOfAsync("{\"q\":\"x\"}\n\"x\"", Prompt()));
    }
}
