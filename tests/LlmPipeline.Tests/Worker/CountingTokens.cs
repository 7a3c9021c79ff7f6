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
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hello world"}],"max_tokens":100}""", 9, 100, 100)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":100,"n":3}""", 3, 300, 300)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":4096}""", 3, 4096, 256)]
    [InlineData("""{"model":"m","messages":[]}""", 3, 256, 256)]
    [InlineData("""{"model":"m","prompt":[1,2,3],"max_tokens":1}""", 3, 1, 1)]
    [InlineData("not json at all, 24 bytes", 6, 256, 256)]
    public async Task An_estimate_is_the_prompt_what_the_provider_holds_for_the_answer_and_the_likely_answer(string body, int prompt, int held, int expected)
    {
        await TokenCounter.LoadAsync("m");
        Assert.Equal(new TokenEstimate(prompt, held, expected), new TokenEstimator().Estimate("q", "m", Encoding.UTF8.GetBytes(body)));
    }

    [Fact]
    public async Task A_text_that_is_none_is_estimated_all_the_same()
    {
        await TokenCounter.LoadAsync("m");
        Assert.InRange(new TokenEstimator().Estimate("q", "m", """{"model":"m","messages":[{"content":"\ud800"}]}"""u8).Prompt, 1, 20);
    }

    [Theory]
    [InlineData("""{"max_tokens":300}""", 300, 300)]
    [InlineData("{}", 16, 16)]
    public void Where_nothing_is_corrected_the_pace_is_of_what_is_reserved(string body, int held, int expected) =>
        Assert.Equal(new TokenEstimate(1, held, expected), new TokenEstimator().Estimate("q", "m", Encoding.UTF8.GetBytes(body), TokenCharge.Reserved));

    [Theory]
    [InlineData("""{"type":"image_url","image_url":{"url":"https://host/cat.png"}}""", 765)]
    [InlineData("""{"type":"image_url","image_url":{"url":"https://host/cat.png","detail":"low"}}""", 85)]
    [InlineData("""{"type":"image_url","image_url":{"detail":"low","url":"data:image/png;base64,AAAA"}}""", 85)]
    [InlineData("""{"type":"input_image","image_url":"data:image/jpeg;base64,AAAA"}""", 765)]
    // The head of a PNG of 2,048 × 4,096.
    [InlineData("""{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAACAAAABAACAYAAAAAAAAA"}}""", 1105)]
    [InlineData("""{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODlhZABkAIAAAAAAAAAAACH5BAEAAAAALAAAAABk"}}""", 255)]
    public async Task A_picture_counts_by_its_tiles_and_not_by_its_text(string part, int tokens)
    {
        await TokenCounter.LoadAsync("m");
        var estimator = new TokenEstimator();
        var with = estimator.Estimate("q", "m", Encoding.UTF8.GetBytes($$"""{"messages":[{"content":[{{part}}]}]}""")).Prompt;
        // Three for priming, three for the message, one or two for its type.
        Assert.InRange(with, tokens + 6, tokens + 10);
    }

    [Fact]
    public async Task Embeddings_have_no_completion_and_completions_are_learnt_by_queue()
    {
        await TokenCounter.LoadAsync("m");
        var estimator = new TokenEstimator();
        Assert.Equal(new TokenEstimate(2, 0, 0), estimator.Estimate("q", "my-embedder", """{"input":"hello world"}"""u8));
        for (var i = 0; i < 100; i++)
            estimator.Learn("q", i < 50 ? 200 : 1000);
        Assert.InRange(estimator.Estimate("q", "m", "{}"u8).Expected, 950, 1000);
        Assert.Equal(80, estimator.Estimate("q", "m", """{"max_tokens":80}"""u8).Expected);
        Assert.Equal(256, estimator.Estimate("other", "m", "{}"u8).Expected);
    }
}
