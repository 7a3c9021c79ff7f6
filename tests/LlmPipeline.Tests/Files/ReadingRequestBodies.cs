using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingRequestBodies
{
    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"input":"y"}""", "/v1/chat/completions")]
    [InlineData("""{"model":"m","prompt":"x"}""", "/v1/completions")]
    [InlineData("""{"model":"text-Embedding-3","input":"x"}""", "/v1/embeddings")]
    [InlineData("""{"input":"x","model":"m"}""", "/v1/responses")]
    [InlineData("""{"input":"x","model":"m","prompt":{"id":"stored"}}""", "/v1/responses")]
    [InlineData("""{"model":"m","prompt":{"id":"stored"}}""", "/v1/responses")]
    public async Task The_shape_tells_the_path_and_the_body_stays_as_it_is(string line, string url)
    {
        var row = Assert.Single(await RowsOfAsync($"\n {line}\t\r\n"));
        Assert.Equal((line, url, "line-2", "line-2"), (BodyOf(row), row.Url, row.CustomId, $"line-{row.Line}"));
    }

    [Theory]
    [InlineData("""{"messages":[{"role":"user"}]}""", "F:1: model: missing; --model M names it")]
    [InlineData("""{"model":7,"input":"x"}""", "F:1: model: must be a string")]
    [InlineData("""{"model":"m","messages":[]}""", "F:1: messages: empty")]
    [InlineData("""{"model":"m","messages":[{}]}""", "F:1: messages[0].role: missing")]
    [InlineData("""{"model":"m","input":null}""", "F:1: a request body needs messages, input or prompt")]
    [InlineData("""{"model":"m","input":"x","stream":true}""", "F:1: stream: streamed rows are not supported; leave it out")]
    [InlineData("""{"model":"m","input":"x","input":"y"}""", "F:1: input: stands there twice")]
    [InlineData("""{"model":"m\udc00","input":"x"}""", @"F:1: model: holds half of a surrogate pair (a \ud800 to \udfff that stands alone)")]
    public async Task A_body_that_no_endpoint_would_take_is_an_error(string line, string error) =>
        Assert.Equal(error, await ErrorOfAsync(line));

    [Fact]
    public async Task A_body_goes_to_its_own_model_and_one_that_names_none_to_the_one_asked_for()
    {
        var asked = new InputOptions { DefaultModel = "d", Model = "big \"x\"" };
        var rows = await RowsOfAsync("""
            {"model":"m","messages":[{"role":"user","content":"x"}]}
             { "messages":[{"role":"user","content":"é\u00e9"}] , "top_k" : 1.50 }
            {"input":"x"}
            """, asked);
        Assert.Equal(["m", "big \"x\"", "big \"x\""], rows.Select(row => row.Model));
        Assert.Equal(
            ["""{"model":"m","messages":[{"role":"user","content":"x"}]}""", """{"model":"big \"x\"", "messages":[{"role":"user","content":"é\u00e9"}] , "top_k" : 1.50 }""", """{"model":"big \"x\"","input":"x"}"""],
            rows.Select(BodyOf));
    }

    [Fact]
    public async Task A_prompt_without_a_model_of_its_own_is_sent_as_a_chat()
    {
        var asked = new InputOptions { DefaultModel = "d", Model = "big" };
        var rows = await RowsOfAsync("""
            {"prompt":"say \"hi\"","temperature":0}
            {"model":"m","prompt":"x"}
            {"prompt":[1,2]}
            """, asked);
        Assert.Equal(["/v1/chat/completions", "/v1/completions", "/v1/completions"], rows.Select(row => row.Url));
        Assert.Equal("""{"model":"big","messages":[{"role":"user","content":"say \"hi\""}],"temperature":0}""", BodyOf(rows[0]));
        Assert.Equal("""{"model":"big","prompt":[1,2]}""", BodyOf(rows[2]));
    }

    [Fact]
    public async Task Fields_that_are_dropped_are_not_sent()
    {
        var options = new InputOptions { DefaultModel = "d", Drop = ["metadata", "id"] };
        var rows = await RowsOfAsync("""
            {"model":"e-embed","input":"0","metadata":{"row":1}}
            {"id":7, "model":"e-embed","input":"1"}
            """, options);
        Assert.Equal(["""{"model":"e-embed","input":"0"}""", """{"model":"e-embed","input":"1"}"""], rows.Select(BodyOf));
        Assert.Equal("""{"model":"m","messages":[]}""", BodyOf((await RowsOfAsync(BatchLine("a", """{"model":"m","id":1,"messages":[]}""", "/v1/rerank"), options))[0]));
    }

    [Theory]
    [InlineData("""{"task_id":"T/0","prompt":"def f():","entry_point":"f"}""", "--template '{{$prompt}}'", "task_id, prompt, entry_point")]
    [InlineData("""{"instruction":"Sum","input":"1 2","output":"3"}""", "--template '{{$input}}'", "instruction, input, output")]
    [InlineData("""{"id":1,"api":"openai","model_name":"m","prompt":"x","parameters":{}}""", "--template '{{$prompt}}'", "model_name")]
    [InlineData("""{"review":"good"}""", "--template '{{$review}}'", "review")]
    public async Task A_row_of_a_data_set_is_told_what_would_make_it_work(string line, string option, string fields)
    {
        foreach (var asked in (string?[])[null, "m"])
        {
            var error = await ErrorOfAsync(line, new() { DefaultModel = "d", Model = asked });
            Assert.Contains("needs --prompt NAME, or " + option, error);
            Assert.Contains(fields, error);
        }
    }

    [Fact]
    public async Task Half_a_surrogate_pair_in_a_text_is_left_to_the_endpoint()
    {
        const string Body = """{"model":"m","messages":[{"role":"user","content":"\ud800"}],"\udc00":1}""";
        Assert.Equal(Body, BodyOf(Assert.Single(await RowsOfAsync(Body))));
    }
}
