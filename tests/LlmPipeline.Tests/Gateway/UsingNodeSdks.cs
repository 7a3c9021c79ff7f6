namespace LlmPipeline;

/// <summary>The npm packages of <c>tests/NodeClient/package.json</c>.</summary>
public sealed class UsingNodeSdks(NodeSdks sdks) : IClassFixture<NodeSdks>
{
    private const string Everything = "chat embeddings stream structured tools";

    [Theory]
    [InlineData("openai", Everything)]
    [InlineData("openai responses", "chat stream structured")]
    [InlineData("openai models", "list retrieve unknown")]
    [InlineData("openai azure", Everything)]
    [InlineData("openai azure batches", "create list")]
    [InlineData("@ai-sdk/openai", Everything)]
    [InlineData("@ai-sdk/openai chat", Everything)]
    [InlineData("@ai-sdk/openai-compatible", Everything)]
    [InlineData("@ai-sdk/azure", Everything)]
    [InlineData("@ai-sdk/azure deployments", Everything)]
    [InlineData("@langchain/openai", Everything)]
    [InlineData("@langchain/openai responses", Everything)]
    [InlineData("@langchain/openai azure", Everything)]
    [InlineData("@llamaindex/openai", Everything)]
    public void Every_call_of_an_SDK_succeeds_with_only_base_URL_and_key_changed(string sdk, string calls)
    {
        var made = sdks.Calls[sdk].ToList();

        Assert.Equal(calls.Split(' ').Order(StringComparer.Ordinal), made.Select(call => call.Call).Order(StringComparer.Ordinal));
        Assert.All(made, call => Assert.True(call.Wrong is null, $"{call.Call}: {call.Wrong}"));
    }
}
