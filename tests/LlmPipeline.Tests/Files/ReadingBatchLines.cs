using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingBatchLines
{
    private const string Chat = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""";

    [Theory]
    [InlineData("""{ "model" : "m" , "messages":[ {"role":"user","content":"é \u00e9 😀 \ud83d\ude00 <b>&amp;</b> {{$x}} \n \u0001"} ],	"n":1.0,"big":1e400,"x":{"a":1,"a":2} }""")]
    [InlineData("""{"messages":[{"role":"tool","content":null,"vendor":[1,[2]]}],"unknown":{"deep":[{}]},"model":"m","stream":false,"logit_bias":{"50256":-100}}""")]
    public async Task The_body_is_handed_on_byte_for_byte(string body)
    {
        var rows = await RowsOfAsync(BatchLine("a", body) + "\n" + $$"""{"body":{{body}}  ,"url":"/v1/chat/completions", "method":"POST"}""");
        Assert.Equal([body, body], rows.Select(BodyOf));
    }

    [Fact]
    public async Task A_row_says_what_its_line_says()
    {
        var rows = await RowsOfAsync("\n" + BatchLine("a \"1\" é", """{"model":"org/m-1","input":["x"]}""", "/v1/embeddings"));
        var row = Assert.Single(rows);
        Assert.Equal((1, 2, "a \"1\" é", "org/m-1", "/v1/embeddings"), (row.Number, row.Line, row.CustomId, row.Model, row.Url));
        Assert.Null(row.Variables);
    }

    [Fact]
    public async Task Fields_that_nobody_knows_are_accepted()
    {
        var rows = await RowsOfAsync($$"""{"vendor":{"x":[1]},"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{{Chat}},"note":null}""");
        Assert.Equal(Chat, BodyOf(Assert.Single(rows)));
    }

    [Fact]
    public async Task Escaped_names_are_the_same_names()
    {
        var rows = await RowsOfAsync("""{"\u0063ustom_id":"a","method":"P\u004fST","url":"\/v1\/chat/completions","body":{"mod\u0065l":"m","messages":[{"rol\u0065":"user"}]}}""");
        Assert.Equal(("a", "m"), (rows[0].CustomId, rows[0].Model));
    }

    [Fact]
    public async Task A_url_without_v1_as_Azure_has_it_means_the_same_path()
    {
        var rows = await RowsOfAsync($$"""{"custom_id":"a","method":"POST","url":"/chat/completions","body":{{Chat}}}""");

        Assert.Equal("/v1/chat/completions", rows.Single().Url);
    }

    [Theory]
    [InlineData("""{"custom_id":"a","url":"/v1/chat/completions","body":{}}""", "F:1: method: missing")]
    [InlineData("""{"custom_id":"a","method":"post","url":"/v1/chat/completions","body":{}}""", "F:1: method: must be \"POST\"")]
    [InlineData("""{"custom_id":"a","method":7,"url":"/v1/chat/completions","body":{}}""", "F:1: method: must be \"POST\"")]
    [InlineData("""{"custom_id":"a","method":"POST","body":{}}""", "F:1: url: missing")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/../images","body":{}}""", "F:1: url: must be one of /v1/chat/completions, /v1/embeddings, /v1/completions, /v1/responses, or another path that begins with /v1/")]
    [InlineData("""{"custom_id":"a","method":"POST","url":["/v1/responses"],"body":{}}""", "F:1: url: must be one of /v1/chat/completions, /v1/embeddings, /v1/completions, /v1/responses, or another path that begins with /v1/")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/chat/completions"}""", "F:1: body: missing")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":[1,{}]}""", "F:1: body: must be an object")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":"{}"}""", "F:1: body: must be an object")]
    [InlineData("""{"custom_id":7,"method":"POST","url":"/v1/chat/completions","body":{}}""", "F:1: custom_id: must be a string")]
    [InlineData("""{"custom_id":null,"method":"POST","url":"/v1/chat/completions","body":{}}""", "F:1: custom_id: must be a string")]
    [InlineData("""{"custom_id":{"a":[1]},"method":"POST","url":"/v1/chat/completions","body":{}}""", "F:1: custom_id: must be a string")]
    [InlineData("""{"custom_id":"","method":"POST","url":"/v1/chat/completions","body":{}}""", "F:1: custom_id: empty; leave it out, or give the row a name")]
    [InlineData("""{"custom_id":"\ud800","method":"POST","url":"/v1/chat/completions","body":{}}""", @"F:1: custom_id: holds half of a surrogate pair (a \ud800 to \udfff that stands alone)")]
    [InlineData("""{"custom_id":"a","custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}""", "F:1: custom_id: stands there twice")]
    [InlineData("""{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{},"b\u006fdy":{}}""", "F:1: body: stands there twice")]
    public async Task A_line_with_a_wrong_envelope_is_an_error(string line, string error) =>
        Assert.Equal(error, await ErrorOfAsync(line));

    [Theory]
    [InlineData("""{"messages":[{"role":"user"}]}""", "F:1: body.model: missing; --model M names it")]
    [InlineData("""{"model":"","messages":[{"role":"user"}]}""", "F:1: body.model: empty")]
    [InlineData("""{"model":null,"messages":[{"role":"user"}]}""", "F:1: body.model: must be a string")]
    [InlineData("""{"model":{"a":1},"messages":[{"role":"user"}]}""", "F:1: body.model: must be a string")]
    [InlineData("""{"model":"a{b","messages":[{"role":"user"}]}""", "F:1: body.model: a model's name can't hold { or }")]
    [InlineData("""{"model":"a\u0000b","messages":[{"role":"user"}]}""", "F:1: body.model: a model's name can't hold control characters")]
    [InlineData("""{"model":"m","model":"m","messages":[{"role":"user"}]}""", "F:1: body.model: stands there twice")]
    [InlineData("""{"model":"m","mo\u0064el":"m2","messages":[{"role":"user"}]}""", "F:1: body.model: stands there twice")]
    [InlineData("""{"model":"m"}""", "F:1: body.messages: missing")]
    [InlineData("""{"model":"m","messages":"hi"}""", "F:1: body.messages: must be an array of objects")]
    [InlineData("""{"model":"m","messages":{"role":"user"}}""", "F:1: body.messages: must be an array of objects")]
    [InlineData("""{"model":"m","messages":[]}""", "F:1: body.messages: empty")]
    [InlineData("""{"model":"m","messages":[{"role":"user"},["x"]]}""", "F:1: body.messages[1]: must be an object")]
    [InlineData("""{"model":"m","messages":[{"content":"x"}]}""", "F:1: body.messages[0].role: missing")]
    [InlineData("""{"model":"m","messages":[{"role":{"a":[]}}]}""", "F:1: body.messages[0].role: must be a string")]
    [InlineData("""{"model":"m","messages":[{"role":"user"}],"stream":true}""", "F:1: body.stream: streamed rows are not supported; leave it out")]
    public async Task A_chat_body_that_no_endpoint_would_take_is_an_error(string body, string error) =>
        Assert.Equal(error, await ErrorOfAsync(BatchLine("a", body)));

    [Theory]
    [InlineData("/v1/embeddings", "input")]
    [InlineData("/v1/responses", "input")]
    [InlineData("/v1/completions", "prompt")]
    public async Task Each_path_needs_its_field(string url, string field)
    {
        Assert.Equal($"F:1: body.{field}: missing", await ErrorOfAsync(BatchLine("a", """{"model":"m","messages":[]}""", url)));
        Assert.Equal($"F:1: body.{field}: missing", await ErrorOfAsync(BatchLine("a", $$"""{"model":"m","{{field}}":null}""", url)));
        Assert.Single(await RowsOfAsync(BatchLine("a", $$"""{"model":"m","{{field}}":"x"}""", url)));
    }

    [Fact]
    public async Task A_line_goes_to_its_own_model_and_one_that_names_none_to_the_one_asked_for()
    {
        var asked = new InputOptions { DefaultModel = "d", Model = "big" };
        var rows = await RowsOfAsync(BatchLine("a") + "\n" + BatchLine("b", """{"messages":[{"role":"user","content":"x"}]}"""), asked);
        Assert.Equal(["m", "big"], rows.Select(row => row.Model));
        Assert.Equal("""{"model":"big","messages":[{"role":"user","content":"x"}]}""", BodyOf(rows[1]));
    }

    [Theory]
    [InlineData("/v1/moderations")]
    [InlineData("/v1/rerank")]
    [InlineData("/v1/score")]
    [InlineData("/v1/audio/speech")]
    public async Task Other_paths_of_the_same_shape_pass_through(string url)
    {
        var row = Assert.Single(await RowsOfAsync(BatchLine("a", """{"model":"r","query":"q","documents":["a"]}""", url)));
        Assert.Equal((url, """{"model":"r","query":"q","documents":["a"]}"""), (row.Url, BodyOf(row)));
    }

    [Theory]
    [InlineData("""{"custom_id":"a","params":{"model":"c","max_tokens":10,"messages":[]}}""", "Anthropic")]
    [InlineData("""{"recordId":"a","modelInput":{"messages":[]}}""", "Bedrock")]
    [InlineData("""{"key":"a","request":{"contents":[]}}""", "Gemini")]
    public async Task A_line_of_another_api_is_named(string line, string api) =>
        Assert.Contains(api, await ErrorOfAsync(line));

    [Fact]
    public async Task A_model_may_have_256_bytes()
    {
        var name = string.Concat(Enumerable.Repeat("é", 128));
        Assert.Single(await RowsOfAsync(BatchLine("a", $$"""{"model":"{{name}}","input":"x"}""", "/v1/responses")));
        Assert.Equal("F:1: body.model: longer than 256 bytes", await ErrorOfAsync(BatchLine("a", $$"""{"model":"{{name}}e","input":"x"}""", "/v1/responses")));
    }

    [Fact]
    public async Task Models_and_paths_are_counted()
    {
        using var sample = new InputSample(string.Join('\n',
            BatchLine("1"), BatchLine("2", """{"model":"n","input":"x"}""", "/v1/embeddings"), BatchLine("3")));
        var summary = await sample.CheckAsync();
        Assert.Equal(new() { ["m"] = 2, ["n"] = 1 }, new Dictionary<string, int>(summary.Models));
        Assert.Equal(new() { ["/v1/chat/completions"] = 2, ["/v1/embeddings"] = 1 }, new Dictionary<string, int>(summary.Urls));
        Assert.Equal((3, 0L), (summary.Rows, summary.ErrorCount));
    }

    [Fact]
    public async Task A_file_names_a_thousand_models_at_most()
    {
        var lines = Enumerable.Range(1, 1001).Select(n => BatchLine(null, $$"""{"model":"m{{n}}","input":"x"}""", "/v1/responses"));
        Assert.Equal("F:1001: model: the file names more than 1000 models", await ErrorOfAsync(string.Join('\n', lines)));
    }

    [Theory]
    [InlineData("{\"custom_id\":\"a\",", "the object does not end on this line")]
    [InlineData("{\"custom_id\":\"a\"} {}", "'{' is invalid after a single JSON value")]
    [InlineData("{\"custom_id\":\"a\",}", "trailing comma")]
    [InlineData("{\"custom_id\":\"a\tb\"}", "'0x09' is invalid within a JSON string")]
    [InlineData("{\"custom_id\":\"a\0b\"}", "'0x00' is invalid within a JSON string")]
    [InlineData("{\"custom_id\":\"\\x\"}", "'x' is an invalid escapable character")]
    [InlineData("{custom_id:1}", "'c' is an invalid start of a property name")]
    [InlineData("{\"a\":NaN}", "'N' is an invalid start of a value")]
    [InlineData("{\"a\":1 // why\n}", "'/' is invalid after a value")]
    public async Task Broken_json_is_an_error_with_line_and_byte(string line, string part)
    {
        using var sample = new InputSample(BatchLine("first") + "\n" + line);
        var error = (await sample.ErrorsAsync())[0];
        Assert.StartsWith("F:2: not valid JSON: ", error);
        Assert.Contains(part, error);
        Assert.Matches(@"\(at byte \d+ of the line\)$", error);
        Assert.DoesNotContain("LineNumber", error);
        Assert.Equal("invalid_json_line", (await sample.CheckAsync()).Errors[0].Code);
    }

    [Fact]
    public async Task Json_nested_too_deep_is_an_error()
    {
        var deep = new string('[', 100_000) + new string(']', 100_000);
        Assert.StartsWith("F:2: nested deeper than 64 levels", await ErrorOfAsync(BatchLine("a") + "\n" + BatchLine("b", $$"""{"model":"m","messages":[{"role":"user"}],"x":{{deep}}}""")));
        Assert.StartsWith("F:1: nested deeper than 64 levels", await ErrorOfAsync($$"""{"x":{{deep}}}"""));
    }

    [Fact]
    public async Task The_first_20_errors_are_told_and_all_are_counted()
    {
        using var sample = new InputSample(BatchLine("a") + string.Concat(Enumerable.Repeat("\n{}", 1000)));
        var summary = await sample.CheckAsync();
        Assert.Equal((1, 1000L, 20), (summary.Rows, summary.ErrorCount, summary.Errors.Count));
        Assert.Equal(Enumerable.Range(2, 20), summary.Errors.Select(e => e.Line));
    }

    [Fact]
    public async Task The_sample_questions_are_20_rows_without_an_error()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "LlmPipeline.sln"))) root = root.Parent!;
        var summary = await InputFile.Open(Path.Combine(root.FullName, "prompts", "samples", "questions.jsonl"), Plain).CheckAsync();
        Assert.Equal((InputKind.BatchLines, 20, 0L), (summary.Kind, summary.Rows, summary.ErrorCount));
        Assert.Equal(["gpt-4o-mini"], summary.Models.Keys);
    }
}
