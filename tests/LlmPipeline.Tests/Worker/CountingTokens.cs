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

    // Ten tokens a second, OpenAI's rate for what a user says: https://developers.openai.com/api/docs/guides/realtime-costs
    [Theory]
    [InlineData(1, 8000, 16_000, null, 10)]
    [InlineData(30, 16_000, 32_000, null, 300)]
    [InlineData(600, 24_000, 48_000, null, 6000)]
    [InlineData(30, 16_000, 32_000, 0u, 300)]
    [InlineData(30, 16_000, 32_000, uint.MaxValue, 300)]
    [InlineData(30, 16_000, 7, null, 600)]
    public async Task A_sound_counts_by_its_duration(int seconds, int rate, int bytesPerSecond, uint? size, int tokens)
    {
        var wav = new MemoryStream();
        using (var head = new BinaryWriter(wav, Encoding.Latin1, leaveOpen: true))
        {
            head.Write("RIFF"u8);
            head.Write(size ?? (uint)(36 + (seconds * rate * 2)));
            head.Write("WAVEfmt "u8);
            head.Write(16);
            head.Write((short)1);
            head.Write((short)1);
            head.Write(rate);
            head.Write(bytesPerSecond);
            head.Write((short)2);
            head.Write((short)16);
            head.Write("LIST"u8);
            head.Write(3);
            head.Write(0);
            head.Write("data"u8);
            head.Write(size ?? (uint)(seconds * rate * 2));
            head.Write(new byte[seconds * rate * 2]);
        }

        var data = Convert.ToBase64String(wav.ToArray());
        foreach (var part in (string[])[
            $$$"""{"type":"input_audio","input_audio":{"data":"{{{data}}}","format":"wav"}}""",
            $$$"""{"input_audio":{"format":"wav","data":"{{{data.Replace("/", "\\/")}}}"},"type":"input_audio"}""",
            $$$"""{"type":"audio_url","audio_url":{"url":"data:audio/wav;base64,{{{data}}}"}}"""])
            Assert.InRange(await PromptOfAsync(part), tokens * 0.99, (tokens * 1.01) + 14);
    }

    [Theory]
    [InlineData("""{"type":"input_audio","input_audio":{"data":"BASE64","format":"mp3"}}""", 1_600_000, 1000)]
    [InlineData("""{"type":"audio_url","audio_url":{"url":"data:audio/mpeg;base64,BASE64"}}""", 1_600_000, 1000)]
    [InlineData("""{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BASE64"}}""", 640_000, 10_000)]
    [InlineData("""{"type":"input_file","filename":"a.pdf","file_data":"BASE64"}""", 640_000, 10_000)]
    [InlineData("""{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BASE64"}}""", 640_000, 10_000)]
    public async Task What_is_no_text_counts_by_its_bytes(string part, int bytes, int tokens)
    {
        var data = new byte[bytes];
        new Random(1).NextBytes(data);
        Assert.InRange(await PromptOfAsync(part.Replace("BASE64", Convert.ToBase64String(data))), tokens * 0.99, (tokens * 1.01) + 20);
    }

    [Theory]
    [InlineData("""{"type":"text","text":"data: the first of these words begins like a URL, and all of them are text"}""", 16, 30)]
    [InlineData("""{"type":"text","text":"half \ud83d of a pair"}""", 4, 20)]
    [InlineData("""{"data":"short"}""", 1, 10)]
    public async Task What_is_text_counts_as_text(string part, int least, int most) =>
        Assert.InRange(await PromptOfAsync(part), least, most + 6);

    private static async Task<int> PromptOfAsync(string part)
    {
        await TokenCounter.LoadAsync("m");
        return new TokenEstimator().Estimate("q", "m", Encoding.UTF8.GetBytes($$"""{"messages":[{"content":[{{part}}]}]}""")).Prompt;
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
