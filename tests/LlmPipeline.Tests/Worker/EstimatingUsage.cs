using System.Text;

namespace LlmPipeline.Tests;

/// <summary>Answers that tell no tokens, where a budget depends on them: <see cref="LlmOptions.EstimateUsage"/>.</summary>
public sealed class EstimatingUsage
{
    private const string Silent =
        """{"choices":[{"message":{"role":"assistant","content":"one two three four","reasoning_content":"five six"}"""
            + ""","finish_reason":"stop"}]}""";
    private const string Body = """{"model":"m","messages":[{"role":"user","content":"one two three"}]}""";

    [Fact]
    public async Task Their_tokens_are_counted_from_request_and_answer_and_the_result_says_so()
    {
        await TokenCounter.LoadAsync(CallerHouse.Model);
        var outcome = await CallAsync(Silent, estimates: true, priced: true);

        Assert.True(outcome.IsUsageEstimated);
        // Three words, the role, three of the message and three that begin the answer; four words and two.
        Assert.Equal(new TokenUsage(10, 0, 6), outcome.Usage);
        Assert.Equal(10_000 + 12_000, Assert.Single(outcome.Costs).Nanos);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task Without_a_budget_or_a_price_they_stay_unknown(bool estimates, bool priced)
    {
        var outcome = await CallAsync(Silent, estimates, priced);

        Assert.Equal((false, default), (outcome.IsUsageEstimated, outcome.Usage));
        Assert.Empty(outcome.Costs);
    }

    [Fact]
    public async Task What_a_provider_reports_is_taken_as_it_is()
    {
        var outcome = await CallAsync(RawReply.Completion, estimates: true, priced: true);

        Assert.Equal((false, new TokenUsage(7, 3, 2)), (outcome.IsUsageEstimated, outcome.Usage));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-35)]
    public async Task A_completion_with_text_that_is_told_to_have_no_tokens_is_counted(int told)
    {
        await TokenCounter.LoadAsync(CallerHouse.Model);
        var outcome = await CallAsync(Silent.Replace("\"choices\"", $"\"usage\":{{\"prompt_tokens\":1151,\"completion_tokens\":{told}}},\"choices\"", StringComparison.Ordinal), estimates: true, priced: true);

        Assert.Equal((true, new TokenUsage(1151, 0, 6)), (outcome.IsUsageEstimated, outcome.Usage));
    }

    [Theory]
    [InlineData("\"total_tokens\":30", true, 24, 6)]
    [InlineData("\"total_tokens\":30", false, 24, 6)]
    [InlineData("\"total_tokens\":30,\"completion_tokens\":0", false, 24, 6)]
    [InlineData("\"total_tokens\":4", true, 0, 4)]
    public async Task A_total_alone_is_split_by_the_text_of_the_answer(string told, bool estimates, long input, long output)
    {
        await TokenCounter.LoadAsync(CallerHouse.Model);
        var outcome = await CallAsync(Silent.Replace("\"choices\"", $"\"usage\":{{{told}}},\"choices\"", StringComparison.Ordinal), estimates, priced: true);

        Assert.Equal((true, new TokenUsage(input, 0, output)), (outcome.IsUsageEstimated, outcome.Usage));
        Assert.Equal((input * 1000) + (output * 2000), Assert.Single(outcome.Costs).Nanos);
    }

    [Fact]
    public async Task A_total_alone_of_embeddings_is_their_input()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, """{"data":[{"embedding":[0.5]}],"usage":{"total_tokens":8}}"""));
        await using var caller = Caller(endpoint, estimates: true, priced: true);

        var outcome = await caller.CallAsync(CallerHouse.Request("""{"model":"m","input":"x"}""", "/v1/embeddings"), 0, default);

        Assert.Equal((false, new TokenUsage(8, 0, 0)), (outcome.IsUsageEstimated, outcome.Usage));
    }

    [Fact]
    public async Task An_error_costs_nothing_that_was_not_reported()
    {
        await using var endpoint = new RawEndpoint(
            (_, n) =>
                n == 1 ? new RawReply(500, """{"error":{"message":"overloaded"}}""") : new RawReply(400, """{"error":{"message":"no"}}"""));
        await using var caller = Caller(endpoint, estimates: true, priced: true);

        var outcome = await caller.CallAsync(CallerHouse.Request(Body), 0, default);

        Assert.Equal((CallVerdict.Failed, false, 0), (outcome.Verdict, outcome.IsUsageEstimated, outcome.Usage.Total));
    }

    [Fact]
    public async Task They_are_in_the_sums_of_the_deployment_that_a_budget_is_judged_by()
    {
        await TokenCounter.LoadAsync(CallerHouse.Model);
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, Silent));
        await using var caller = Caller(endpoint, estimates: true, priced: true);

        for (var call = 0; call < 3; call++)
            await caller.CallAsync(CallerHouse.Request(Body), 0, default);

        var status = caller.Snapshot()[0];
        Assert.Equal((30L, 18L, 66_000L), (status.InputTokens, status.OutputTokens, status.SpentNanos!.Value));
    }

    [Theory]
    [InlineData(
        """{"choices":[{"message":{"content":"one two","tool_calls":[{"id":"call_1","type":"function","function":"""
            + """{"name":"three","arguments":"four"}}]}}]}""", 4)]
    [InlineData("""{"choices":[{"text":"one two"},{"text":"three"}]}""", 3)]
    [InlineData(
        """{"instructions":"one two three","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"one"}]},"""
            + """{"content":[{"type":"output_text","text":"two three"}]}]}""", 3)]
    [InlineData("""{"message":{"role":"assistant","content":"one two"},"model":"three"}""", 2)]
    [InlineData("""{"data":[{"embedding":"AAAA"}],"object":"list"}""", 0)]
    [InlineData("""{"choices":[{"message":{"content":null,"refusal":"one two"}}]}""", 2)]
    public async Task An_answer_is_what_the_model_has_written(string answer, long tokens)
    {
        await TokenCounter.LoadAsync(CallerHouse.Model);

        Assert.Equal(tokens, AnswerTokens.Count(CallerHouse.Model, Encoding.UTF8.GetBytes(answer)));
    }

    [Fact]
    public void An_answer_that_is_hardly_JSON_is_judged_by_its_size() =>
        Assert.InRange(
            AnswerTokens.Count(
                CallerHouse.Model, Encoding.UTF8.GetBytes("""{"choices":[{"logprob":NaN,"message":{"content":"one two three four"}}]}""")),
            10,
            40);

    private static async Task<CallOutcome> CallAsync(string answer, bool estimates, bool priced)
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, answer));
        await using var caller = Caller(endpoint, estimates, priced);
        return await caller.CallAsync(CallerHouse.Request(Body), 0, default);
    }

    private static LlmCaller Caller(RawEndpoint endpoint, bool estimates, bool priced)
    {
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.EstimateUsage = estimates;
        if (priced)
            options.Prices.Add(CallerHouse.Model, new TokenPrice { Input = 1, Output = 2 });
        return CallerHouse.Caller(options);
    }
}
