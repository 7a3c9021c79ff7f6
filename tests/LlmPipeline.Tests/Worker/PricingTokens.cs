using System.Text;

namespace LlmPipeline.Tests;

public sealed class PricingTokens
{
    private static readonly TokenPrice Mini = new() { Input = 0.15m, CachedInput = 0.075m, Output = 0.60m };

    [Theory]
    [InlineData("chat", """{"usage":{"prompt_tokens":1000000,"completion_tokens":0}}""", "0.15")]
    [InlineData("chat, cached", """{"usage":{"prompt_tokens":1000,"completion_tokens":200,"prompt_tokens_details":{"cached_tokens":600}}}""", "0.000225")]
    [InlineData("responses", """{"usage":{"input_tokens":1000,"output_tokens":200,"input_tokens_details":{"cached_tokens":600},"output_tokens_details":{"reasoning_tokens":150}}}""", "0.000225")]
    [InlineData("embeddings", """{"usage":{"prompt_tokens":8,"total_tokens":8}}""", "0.0000012")]
    [InlineData("all cached", """{"usage":{"prompt_tokens":4,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}}""", "0.0000009")]
    [InlineData("more cached than there are", """{"usage":{"prompt_tokens":4,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":40}}}""", "0.0000009")]
    [InlineData("one token", """{"usage":{"prompt_tokens":1,"completion_tokens":0}}""", "0.00000015")]
    [InlineData("no usage", """{"choices":[]}""", null)]
    [InlineData("no tokens", """{"usage":{"prompt_tokens":0,"completion_tokens":0}}""", null)]
    [InlineData("tokens beyond belief", """{"usage":{"prompt_tokens":9000000000000000000,"completion_tokens":1}}""", null)]
    public void A_call_costs_what_its_usage_says(string what, string body, string? cost)
    {
        var nanos = Mini.Nanos(AnswerBody.Read(Encoding.UTF8.GetBytes(body)).Usage);

        Assert.True(cost is null ? nanos is null : nanos is not null && JobCost.Amount(nanos.Value) == decimal.Parse(cost, System.Globalization.CultureInfo.InvariantCulture), $"{what}: {nanos}");
    }

    [Fact]
    public void Cached_tokens_without_a_price_of_their_own_cost_what_the_others_do()
    {
        var price = new TokenPrice { Input = 2, Output = 8 };

        Assert.Equal(2000, price.Nanos(new TokenUsage(1, 1, 0)));
        Assert.Equal(0, new TokenPrice { Input = 0, Output = 0 }.Nanos(new TokenUsage(5, 0, 5)));
    }

    [Fact]
    public void A_part_of_a_billionth_is_rounded_to_the_nearest()
    {
        var price = new TokenPrice { Input = 0.0125m, Output = 0 };

        Assert.Equal([13L, 25, 38], new[] { 1, 2, 3 }.Select(tokens => price.Nanos(new TokenUsage(tokens, 0, 0))!.Value));
    }

    [Fact]
    public void The_deployments_price_goes_before_the_models_and_names_match_without_regard_to_case()
    {
        var options = CallerHouse.Options(new DeploymentOptions { Name = "own", Endpoint = "http://h/v1", Price = Mini }, new DeploymentOptions { Name = "other", Endpoint = "http://h/v1" });
        options.Prices.Add("GPT-4o", new TokenPrice { Input = 1, Output = 1 });

        Assert.Same(Mini, options.PriceOf(options.Deployments[0], "gpt-4o"));
        Assert.Equal(1, options.PriceOf(options.Deployments[1], "gpt-4o")!.Input);
        Assert.Null(options.PriceOf(options.Deployments[1], "another"));
    }

    [Fact]
    public void A_price_that_cannot_be_is_refused_by_its_name()
    {
        var options = CallerHouse.Options(new DeploymentOptions { Name = "a", Endpoint = "http://h/v1", Price = new TokenPrice { Input = 1, Output = -0.5m } });
        options.Prices.Add("m", new TokenPrice { Input = 20_000, CachedInput = -1 });

        Assert.Equal(
            ["Prices[m].Input: 20000 is not from 0 to 10000", "Prices[m].CachedInput: -1 is not from 0 to 10000", "Prices[m].Output: is missing", "Deployments[a].Price.Output: -0.5 is not from 0 to 10000"],
            options.Faults().Select(fault => fault.Split(": a price")[0]));
    }

    [Fact]
    public async Task A_try_that_failed_after_it_was_paid_is_in_the_cost_and_each_deployment_has_its_price()
    {
        await using var broken = new RawEndpoint((_, _) => new RawReply(500, """{"usage":{"prompt_tokens":10,"completion_tokens":0},"error":{"message":"overloaded"}}"""));
        await using var sound = new RawEndpoint(
            (_, _) =>
                new RawReply(200, """{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":10,"completion_tokens":1}}"""));
        var options = CallerHouse.Options(CallerHouse.At(broken, "broken"), CallerHouse.At(sound, "sound"));
        options.Deployments[0].Price = new TokenPrice { Input = 1, Output = 1 };
        options.Prices.Add(CallerHouse.Model, Mini);
        await using var caller = CallerHouse.Caller(options);

        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);

        Assert.Equal(CallVerdict.Completed, outcome.Verdict);
        Assert.Equal([new JobCost("broken", 10_000), new JobCost("sound", 2_100)], outcome.Costs);
        Assert.Equal([10_000L, 2_100L], caller.Snapshot().Select(deployment => deployment.SpentNanos!.Value));
    }
}
