using System.Text;

namespace LlmPipeline;

public sealed class ReadingWindowsAndUsage
{
    [Theory]
    [InlineData("24h", 86400)]
    [InlineData("1m", 60)]
    [InlineData("90m", 5400)]
    [InlineData("7d", 604800)]
    [InlineData("14d", 1209600)]
    [InlineData("15d", null)]
    [InlineData("0h", null)]
    [InlineData("-1h", null)]
    [InlineData(" 1h", null)]
    [InlineData("1.5h", null)]
    [InlineData("24H", null)]
    [InlineData("24", null)]
    [InlineData("h", null)]
    [InlineData("", null)]
    [InlineData("99999999999h", null)]
    public void A_completion_window_is_a_number_of_minutes_hours_or_days(string text, int? seconds) => Assert.Equal(seconds, CompletionWindow.Parse(text)?.TotalSeconds);

    [Theory]
    [InlineData("""{"usage":{"completion_tokens":9,"completion_tokens_details":{"x":1,"reasoning_tokens":7}}}""", 7)]
    [InlineData("""{"output":[{"usage":{"output_tokens_details":{"reasoning_tokens":1}}}],"usage":{"output_tokens_details":{"reasoning_tokens":8}}}""", 8)]
    [InlineData("""{"choices":["\"reasoning_tokens\""],"usage":{"completion_tokens":9}}""", 0)]
    [InlineData("""{"usage":null,"reasoning_tokens":3}""", 0)]
    [InlineData("""{"usage":{"completion_tokens_details":{"reasoning_tokens":null}}}""", 0)]
    [InlineData("""{"usage":{"completion_tokens_details":{"reasoning_tokens":2""", 0)]
    [InlineData("no JSON with \"reasoning_tokens\"", 0)]
    public void Reasoning_tokens_are_those_of_the_usage(string body, long tokens) => Assert.Equal(tokens, ReasoningTokens.Of(Encoding.UTF8.GetBytes(body)));
}
