using System.Text;

namespace LlmPipeline.Tests;

/// <summary><see cref="UsageReader"/>: tokens in every shape that providers are documented or reported to tell them in.</summary>
public sealed class ReadingUsage
{
    [Theory]
    // https://platform.openai.com/docs/api-reference/chat/object: reasoning and cached tokens are parts of the two.
    [InlineData("openai", """{"usage":{"prompt_tokens":1486,"completion_tokens":651,"total_tokens":2137,"prompt_tokens_details":{"cached_tokens":1408,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":512}}}""", 1486, 1408, 651)]
    [InlineData("in camel case", """{"usage":{"promptTokens":10,"completionTokens":20,"totalTokens":30}}""", 10, 0, 20)]
    [InlineData("watsonx", """{"usage":{"input_token_count":10,"generated_token_count":20}}""", 10, 0, 20)]
    [InlineData("in a list", """{"usage":[{"prompt_tokens":10,"completion_tokens":20}]}""", 10, 0, 20)]
    [InlineData("in the metadata", """{"metadata":{"usage":{"prompt_tokens":10,"completion_tokens":20}}}""", 10, 0, 20)]
    [InlineData("responses", """{"output":[{"usage":1}],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":4},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":11}}""", 5, 4, 6)]
    [InlineData("embeddings", """{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}""", 8, 0, 0)]
    [InlineData("only a total", """{"data":[],"usage":{"total_tokens":8}}""", 8, 0, 0)]
    [InlineData("only the prompt", """{"data":[],"usage":{"prompt_tokens":8}}""", 8, 0, 0)]
    [InlineData("no completion, but a total", """{"usage":{"prompt_tokens":8,"total_tokens":20}}""", 8, 0, 12)]
    [InlineData("no prompt, but a total", """{"usage":{"completion_tokens":8,"total_tokens":20}}""", 12, 0, 8)]
    // https://discuss.ai.google.dev/t/question-with-usage-in-openai-compatibility/98760
    [InlineData("gemini", """{"usage":{"completion_tokens":102,"prompt_tokens":758,"total_tokens":1725}}""", 758, 0, 967)]
    // https://docs.x.ai/docs/key-information/consumption-and-rate-limits; the numbers of https://github.com/Wei-Shaw/sub2api/issues/5771
    [InlineData(
        "xai",
        """{"usage":{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"prompt_tokens_details":"""
            + """{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}}}""", 10120, 128, 4308)]
    // https://docs.perplexity.ai: reasoning is in neither the completion nor the total.
    [InlineData("perplexity", """{"usage":{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"citation_tokens":19031,"num_search_queries":21,"reasoning_tokens":193947}}""", 33, 0, 201110)]
    [InlineData(
        "reasoning within, no total",
        """{"usage":{"prompt_tokens":5,"completion_tokens":50,"completion_tokens_details":{"reasoning_tokens":40}}}""", 5, 0, 50)]
    [InlineData(
        "reasoning beside, no total",
        """{"usage":{"prompt_tokens":5,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":40}}}""", 5, 0, 42)]
    // https://api-docs.deepseek.com/api/create-chat-completion
    [InlineData("deepseek", """{"usage":{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}}""", 100, 64, 9)]
    // https://github.com/earendil-works/pi/issues/2017
    [InlineData(
        "moonshot",
        """{"choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop","usage":"""
            + """{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"cached_tokens":4}}]}""", 10, 4, 20)]
    [InlineData(
        "moonshot, two choices",
        """{"choices":[{"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}},{"usage":"""
            + """{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}]}""", 10, 0, 20)]
    [InlineData(
        "in both places",
        """{"choices":[{"usage":{"prompt_tokens":1,"completion_tokens":2}}],"usage":{"prompt_tokens":10,"completion_tokens":20}}""", 10,
        0, 20)]
    [InlineData("usage null, choice reports", """{"usage":null,"choices":[{"usage":{"prompt_tokens":1,"completion_tokens":2}}]}""", 1, 0, 2)]
    // https://console.groq.com/docs/text-chat: streams have it in x_groq.
    [InlineData(
        "groq",
        """{"choices":[{"message":{}}],"x_groq":{"id":"req_1","usage":"""
            + """{"queue_time":0.01,"prompt_tokens":18,"completion_tokens":556,"total_tokens":574}}}""", 18, 0, 556)]
    // https://github.com/ollama/ollama/blob/main/docs/api.md
    [InlineData("ollama", """{"model":"m","message":{"content":"x"},"done":true,"prompt_eval_count":26,"eval_count":298}""", 26, 0, 298)]
    // https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching: input_tokens are those that are not cached.
    [InlineData("anthropic", """{"type":"message","usage":{"input_tokens":50,"cache_creation_input_tokens":248,"cache_read_input_tokens":1800,"output_tokens":503}}""", 2098, 1800, 503)]
    // https://docs.litellm.ai/docs/completion/prompt_caching: prompt_tokens include what is cached.
    [InlineData(
        "litellm",
        """{"usage":{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":"""
            + """{"cached_tokens":1920},"cache_read_input_tokens":1920,"cache_creation_input_tokens":0}}""", 2006, 1920, 300)]
    // https://docs.cohere.com/reference/chat: what is billed.
    [InlineData(
        "cohere",
        """{"usage":{"billed_units":{"input_tokens":5,"output_tokens":418},"tokens":{"input_tokens":71,"output_tokens":418}}}""", 5, 0,
        418)]
    [InlineData("cohere v1", """{"text":"x","meta":{"billed_units":{"input_tokens":5,"output_tokens":418}}}""", 5, 0, 418)]
    // https://ai.google.dev/api/generate-content#UsageMetadata
    [InlineData(
        "gemini's own",
        """{"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":198,"thoughtsTokenCount":405,"totalTokenCount":623}}""", 20, 0,
        603)]
    // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
    [InlineData("converse", """{"usage":{"inputTokens":30,"outputTokens":628,"totalTokens":658}}""", 30, 0, 628)]
    // https://openrouter.ai/docs/use-cases/usage-accounting: its own cost is in its own currency.
    [InlineData(
        "openrouter",
        """{"usage":{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.95,"cost_details":"""
            + """{"upstream_inference_cost":19},"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":"""
            + """{"reasoning_tokens":0}}}""", 194, 0, 2)]
    [InlineData("as text", """{"usage":{"prompt_tokens":"1000000","completion_tokens":" 7 ","total_tokens":"1000007"}}""", 1000000, 0, 7)]
    [InlineData(
        "fractions and exponents", """{"usage":{"prompt_tokens":1000000.0,"completion_tokens":1e6,"total_tokens":2.0E6}}""", 1000000, 0,
        1000000)]
    [InlineData("half a token", """{"usage":{"prompt_tokens":1.5,"completion_tokens":"2.1"}}""", 2, 0, 3)]
    [InlineData("nulls between", """{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null}}}""", 3, 0, 4)]
    [InlineData("total below the sum", """{"usage":{"prompt_tokens":30,"completion_tokens":40,"total_tokens":7}}""", 30, 0, 40)]
    [InlineData(
        "total beyond belief", """{"usage":{"prompt_tokens":30,"completion_tokens":40,"total_tokens":99999999999999}}""", 30, 0, 40)]
    [InlineData(
        "zeros beside the right names", """{"usage":{"prompt_tokens":0,"input_tokens":12,"completion_tokens":0,"output_tokens":3}}""", 12,
        0, 3)]
    [InlineData("negative", """{"usage":{"prompt_tokens":"7","completion_tokens":-1,"x":[{}]}}""", 7, 0, 0)]
    public void It_is_what_is_paid_for(string provider, string body, long input, long cached, long output) =>
        Assert.True(new TokenUsage(input, cached, output) == Usage(body), $"{provider}: {Usage(body)}");

    [Theory]
    [InlineData("""{"usage":null}""")]
    [InlineData("""{"usage":{}}""")]
    [InlineData("""{"usage":[1]}""")]
    [InlineData("""{"usage":"many"}""")]
    [InlineData("""{"usage":{"prompt_tokens":null,"completion_tokens":"none"}}""")]
    [InlineData("""{"usage":{"prompt_tokens":"NaN","completion_tokens":""}}""")]
    [InlineData("""{"usage":{"prompt_tokens":-5,"completion_tokens":-1}}""")]
    [InlineData("""{"usage":{"prompt_tokens":9000000000000000000,"completion_tokens":1}}""")]
    [InlineData("""{"usage":{"prompt_tokens":1,"completion_tokens":"1e400"}}""")]
    [InlineData("""{"usage":{"seconds":3,"type":"duration"}}""")]
    [InlineData("""{"choices":null}""")]
    [InlineData("""{"choices":[null,[],"usage"],"x_groq":null}""")]
    [InlineData("""{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":5}"}}]}""")]
    [InlineData("""{"echo":{"usage":{"prompt_tokens":5}}}""")]
    [InlineData("""["usage",{"prompt_tokens":5}]""")]
    [InlineData("")]
    public void A_body_without_tokens_that_can_be_true_has_none(string body) => Assert.Equal(default, Usage(body));

    [Theory]
    [InlineData("""{"choices":[{"logprobs":{"content":[{"logprob":NaN}]}}],"usage":{"prompt_tokens":10,"completion_tokens":20}}""")]
    [InlineData("""{"usage":{"prompt_tokens":10,"completion_tokens":20},"choices":[{"logprob":-Infinity}]}""")]
    [InlineData("""{"usage" : {"prompt_tokens":10,"completion_tokens":20} , "choices":[], }""")]
    [InlineData(
        """{"choices":[NaN,{"message":{"content":"\"usage\":{\"prompt_tokens\":5}"}}],"usage":"""
            + """{"prompt_tokens":10,"completion_tokens":20}}""")]
    [InlineData("""{"choices":[NaN],"usage":{"prompt_tokens":10,"completion_tokens":20},"note":"see \"usage\" above"}""")]
    public void A_fault_elsewhere_in_the_body_loses_no_tokens(string body) => Assert.Equal(new TokenUsage(10, 0, 20), Usage(body));

    [Theory]
    // https://github.com/earendil-works/pi/issues/2017
    [InlineData(
        "moonshot",
        """{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":"""
            + """{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}]}""")]
    [InlineData(
        "groq",
        """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":"""
            + """{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}}""")]
    // https://docs.perplexity.ai: each chunk reports the usage so far.
    [InlineData(
        "growing",
        """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":"""
            + """{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}""")]
    public async Task A_stream_reports_it_wherever_its_last_chunk_does(string provider, string last)
    {
        var first =
            """{"choices":[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}],"usage":"""
                + """{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}}""";
        if (provider != "growing")
            first = first[..first.IndexOf(",\"usage\"", StringComparison.Ordinal)] + "}";
        await using var endpoint = new RawEndpoint(
            (_, _) => new RawReply(200, $"data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n", "Content-Type: text/event-stream"));
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));

        var outcome = await caller.CallAsync(CallerHouse.Request("""{"model":"m","stream":true,"messages":[]}"""), 0, default);

        Assert.Equal((CallVerdict.Completed, new TokenUsage(10, 0, 20)), (outcome.Verdict, outcome.Usage));
    }

    private static TokenUsage Usage(string body) => AnswerBody.Read(Encoding.UTF8.GetBytes(body)).Usage;
}
