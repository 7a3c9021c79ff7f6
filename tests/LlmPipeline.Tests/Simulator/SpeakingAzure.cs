using System.ClientModel;
using System.ClientModel.Primitives;
using Azure.AI.OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace LlmPipeline.Tests;

public sealed class SpeakingAzure
{
    private static AzureOpenAIClient Client(LlmSimulator simulator, string key) =>
        new(simulator.Address, new ApiKeyCredential(key), new AzureOpenAIClientOptions { RetryPolicy = new ClientRetryPolicy(0) });

    [Fact]
    public async Task The_official_client_chats_and_embeds()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { ApiKey = "k", CountTokens = false });
        ChatCompletion answer = await Client(simulator, "k").GetChatClient("my gpt").CompleteChatAsync(["hello"]);
        OpenAIEmbedding embedding = await Client(simulator, "k").GetEmbeddingClient("e").GenerateEmbeddingAsync("hello");
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.Equal(8, embedding.ToFloats().Length);
    }

    [Fact]
    public async Task A_wrong_key_is_a_401_in_Azures_shape()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { ApiKey = "k", CountTokens = false });
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => Client(simulator, "wrong").GetChatClient("gpt").CompleteChatAsync(["hello"]));
        Assert.Equal(401, refused.Status);
        using var probe = new SimulatorProbe(simulator);
        var body = await probe.AnswerAsync(SimulatorProbe.AzureChat, "{}", ("api-key", "wrong"));
        Assert.Equal("401", body.GetProperty("error").GetProperty("code").GetString());
        Assert.False(body.GetProperty("error").TryGetProperty("type", out _));
    }

    [Fact]
    public async Task A_deployment_that_is_not_served_and_a_missing_api_version_are_404()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { Models = ["other"], CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var unknown = await probe.AnswerAsync(SimulatorProbe.AzureChat, SimulatorProbe.Ask("a"));
        Assert.Equal("DeploymentNotFound", unknown.GetProperty("error").GetProperty("code").GetString());
        using var unversioned = await probe.PostAsync("openai/deployments/other/chat/completions", SimulatorProbe.Ask("a"));
        Assert.Equal(404, (int)unversioned.StatusCode);
    }

    [Fact]
    public async Task The_deployment_stands_in_for_the_model()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var answer = await probe.AnswerAsync(SimulatorProbe.AzureChat, """{"messages":[{"role":"user","content":"a"}]}""");
        Assert.Equal("gpt", answer.GetProperty("model").GetString());
    }
}
