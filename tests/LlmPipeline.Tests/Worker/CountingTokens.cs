using System.Text;

namespace LlmPipeline.Tests;

public sealed class CountingTokens
{
    [Fact]
    public async Task Counts_are_those_of_OpenAIs_tokenizers_also_over_slices()
    {
        await TokenCounter.LoadAsync("gpt-4o");
        Assert.Equal(0, TokenCounter.Count("gpt-4o", ""));
        Assert.Equal(2, TokenCounter.Count("gpt-4o", "hello world"));
        var text = string.Concat(Enumerable.Repeat("The quick brown fox 🚀 jumps. ", 1000));
        Assert.InRange(TokenCounter.Count("some-other-model", text), 7900, 9200);
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hello world"}],"max_tokens":100}""", 103, 110)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":100,"n":3}""", 300, 300)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":4096}""", 256, 256)]
    [InlineData("""{"model":"m","prompt":[1,2,3],"max_tokens":1}""", 4, 4)]
    [InlineData("""{"model":"m","messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AAAA"}}]}],"max_tokens":1}""", 1001, 1001)]
    [InlineData("""{"model":"m","messages":[{"content":"\ud800"}]}""", 256, 300)]
    [InlineData("not json at all, 24 bytes", 262, 262)]
    public async Task An_estimate_is_the_texts_of_the_body_and_the_likely_completion(string body, int least, int most)
    {
        await TokenCounter.LoadAsync("m");
        Assert.InRange(new TokenEstimator().Estimate("m", Encoding.UTF8.GetBytes(body)), least, most);
    }

    [Fact]
    public async Task Embeddings_have_no_completion_and_completions_are_learnt_by_model()
    {
        await TokenCounter.LoadAsync("m");
        var estimator = new TokenEstimator();
        Assert.Equal(2, estimator.Estimate("my-embedder", """{"input":"hello world"}"""u8));
        for (var i = 0; i < 100; i++)
            estimator.Learn("m", 1000);
        Assert.InRange(estimator.Estimate("m", "{}"u8), 990, 1000);
        Assert.Equal(256, estimator.Estimate("other", "{}"u8));
    }
}
