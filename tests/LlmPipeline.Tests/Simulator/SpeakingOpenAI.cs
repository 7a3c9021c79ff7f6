using System.ClientModel;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace LlmPipeline.Tests;

public sealed class SpeakingOpenAI
{
    private const string Chat = SimulatorProbe.Chat;

    private static OpenAIClient Client(LlmSimulator simulator) => new(new ApiKeyCredential("any"), new OpenAIClientOptions { Endpoint = simulator.BaseUrl });

    [Fact]
    public async Task The_official_client_chats()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        ChatCompletion answer = await Client(simulator).GetChatClient("gpt-x").CompleteChatAsync(["What is 6 × 7?"]);
        Assert.Equal("gpt-x", answer.Model);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.Equal(answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount);
    }

    [Fact]
    public async Task The_official_client_embeds_and_gets_unit_vectors_of_the_dimensions_it_asked_for()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        OpenAIEmbeddingCollection answer = await Client(simulator).GetEmbeddingClient("e").GenerateEmbeddingsAsync(["a", "b", "a"], new() { Dimensions = 12 });
        Assert.All(answer, e => Assert.Equal(1, e.ToFloats().ToArray().Sum(x => x * x), 5));
        Assert.Equal(12, answer[0].ToFloats().Length);
        Assert.Equal(answer[0].ToFloats().ToArray(), answer[2].ToFloats().ToArray());
        Assert.NotEqual(answer[0].ToFloats().ToArray(), answer[1].ToFloats().ToArray());
    }

    [Fact]
    public async Task Floats_and_base64_are_the_same_vector()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        using var probe = new SimulatorProbe(simulator);
        var floats = (await probe.AnswerAsync("v1/embeddings", """{"model":"e","input":"a"}""")).GetProperty("data")[0].GetProperty("embedding");
        var base64 = (await probe.AnswerAsync("v1/embeddings", """{"model":"e","input":["a"],"encoding_format":"base64"}""")).GetProperty("data")[0].GetProperty("embedding");
        var vector = floats.EnumerateArray().Select(x => x.GetSingle()).ToArray();
        Assert.Equal(8, vector.Length);
        Assert.Equal(vector.SelectMany(BitConverter.GetBytes), base64.GetBytesFromBase64());
    }

    [Fact]
    public async Task The_text_depends_on_request_and_seed_alone()
    {
        await using var one = await LlmSimulator.StartAsync(new() { CountTokens = false });
        await using var two = await LlmSimulator.StartAsync(new() { CountTokens = false });
        await using var other = await LlmSimulator.StartAsync(new() { CountTokens = false, Seed = 2 });
        using var first = new SimulatorProbe(one);
        using var second = new SimulatorProbe(two);
        using var third = new SimulatorProbe(other);
        var text = await first.TextAsync(SimulatorProbe.Ask("a"));
        Assert.Equal(text, await first.TextAsync(SimulatorProbe.Ask("a")));
        Assert.Equal(text, await second.TextAsync(SimulatorProbe.Ask("a")));
        Assert.NotEqual(text, await third.TextAsync(SimulatorProbe.Ask("a")));
        Assert.NotEqual(text, await first.TextAsync(SimulatorProbe.Ask("a", ",\"temperature\":1")));
    }

    [Theory]
    [InlineData("""{"role":"user","content":"b"},{"role":"system","content":"a"},{"role":"user","content":"\u00e9 \"<&"},{"role":"assistant","content":"c"}""")]
    [InlineData("""{"content":[{"type":"text","text":"é"},{"text":" \"<","type":"text"},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"&"}],"role":"user"}""")]
    public async Task A_chat_answer_ends_with_the_hash_of_the_last_user_message(string messages)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var text = await probe.TextAsync($$"""{"model":"m","messages":[{{messages}}]}""");
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("é \"<&"u8))[..16];
        Assert.EndsWith($"[{hash}]", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_choice_has_its_own_text_and_no_more_than_max_tokens()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        using var probe = new SimulatorProbe(simulator);
        var answer = await probe.AnswerAsync(Chat, SimulatorProbe.Ask("a", ",\"n\":3,\"max_tokens\":4"));
        var choices = answer.GetProperty("choices").EnumerateArray().ToArray();
        Assert.Equal(3, choices.Select(c => c.GetProperty("message").GetProperty("content").GetString()).Distinct().Count());
        Assert.All(choices, c => Assert.Equal("length", c.GetProperty("finish_reason").GetString()));
        Assert.Equal([0, 1, 2], choices.Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal(12, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Tokens_are_counted_as_OpenAI_counts_them()
    {
        await using var simulator = await LlmSimulator.StartAsync(new());
        using var probe = new SimulatorProbe(simulator);
        // "hello world" is two tokens; a message costs three, its role one, and the answer is primed with three.
        var answer = await probe.AnswerAsync(Chat, SimulatorProbe.Ask("hello world"));
        Assert.Equal(9, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task A_long_run_of_one_character_is_counted_quickly_and_halves_of_pairs_are_not_torn()
    {
        var meter = await TokenMeter.LoadAsync(exact: true);
        // Counted in one piece, it takes minutes.
        var run = Enumerable.Repeat((byte)'a', 400_000).ToArray();
        Assert.InRange(await Task.Run(() => meter.Count(run)).WaitAsync(TimeSpan.FromSeconds(20)), 20_000, 400_000);
        var smile = System.Text.Encoding.UTF8.GetBytes("x" + string.Concat(Enumerable.Repeat("🙂", 1000)));
        Assert.InRange(meter.Count(smile), 900, 1100);
    }

    [Theory]
    [InlineData("json_object")]
    [InlineData("json_schema")]
    public async Task A_json_format_gets_a_json_object(string type)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var text = await probe.TextAsync(SimulatorProbe.Ask("a", $$""","response_format":{"json_schema":{"name":"x"},"type":"{{type}}"}"""));
        Assert.Equal(JsonValueKind.Object, JsonElement.Parse(text).ValueKind);
    }

    [Fact]
    public async Task A_completion_has_choices_for_every_prompt()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var answer = await probe.AnswerAsync("v1/completions", """{"model":"m","prompt":["a","b"],"n":2}""");
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal(4, answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task Pretty_answers_and_unknown_fields_come_on_demand()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Pretty = true, ExtraFields = true });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(Chat, SimulatorProbe.Ask("a", ""","x_unknown":{"deep":[1,{}]}"""));
        var body = await response.Content.ReadAsStringAsync();
        Assert.Contains("\n  \"choices\": [", body, StringComparison.Ordinal);
        Assert.Contains("\"cost\":1.50,\"big\":12345678901234567890", body, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Object, JsonElement.Parse(body).GetProperty("x_vendor").ValueKind);
        Assert.StartsWith("req_", Assert.Single(response.Headers.GetValues("x-request-id")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_are_listed_and_others_are_not_found()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Models = ["a", "b"] });
        using var probe = new SimulatorProbe(simulator);
        var models = await Client(simulator).GetOpenAIModelClient().GetModelsAsync();
        Assert.Equal(["a", "b"], models.Value.Select(m => m.Id));
        using var response = await probe.PostAsync(Chat, SimulatorProbe.Ask("q"));
        Assert.Equal(404, (int)response.StatusCode);
        Assert.Contains("\"code\":\"model_not_found\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
