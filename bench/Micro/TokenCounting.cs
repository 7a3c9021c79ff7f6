using BenchmarkDotNet.Attributes;

namespace LlmPipeline.Bench;

/// <summary>The tokens of 1,000 characters.</summary>
public class TokenCounting
{
    private const string Model = "gpt-4o-mini";
    private static readonly string English = Text("Summarise the following text in a few plain words, please, and say what it means for us. ");
    private static readonly string Chinese = Text("请用几句简单的话总结下面的文字，并说明它对我们意味着什么。");

    [GlobalSetup]
    public Task LoadAsync() => TokenCounter.LoadAsync(Model);

    [Benchmark]
    public int Of_1000_English_characters() => TokenCounter.Count(Model, English);

    [Benchmark]
    public int Of_1000_Chinese_characters() => TokenCounter.Count(Model, Chinese);

    private static string Text(string sentence) => string.Concat(Enumerable.Repeat(sentence, (1000 / sentence.Length) + 1))[..1000];
}
