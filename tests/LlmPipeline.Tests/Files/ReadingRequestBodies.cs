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
    [InlineData("""{"messages":[{"role":"user"}]}""", "F:1: model: missing")]
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
    public async Task A_body_that_names_another_model_than_asked_for_is_an_error() =>
        Assert.Equal("F:1: model: \"m\", but --model asks for \"big\"", await ErrorOfAsync("""{"model":"m","input":"x"}""", new() { DefaultModel = "d", Model = "big" }));

    [Fact]
    public async Task Half_a_surrogate_pair_in_a_text_is_left_to_the_endpoint()
    {
        const string Body = """{"model":"m","messages":[{"role":"user","content":"\ud800"}],"\udc00":1}""";
        Assert.Equal(Body, BodyOf(Assert.Single(await RowsOfAsync(Body))));
    }
}
