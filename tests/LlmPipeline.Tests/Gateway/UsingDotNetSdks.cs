using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using Azure.AI.OpenAI;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.OpenAI;
using OpenAI;
using OpenAI.Files;

namespace LlmPipeline;

/// <summary>Microsoft.Extensions.AI and Semantic Kernel, each on the clients of OpenAI and of Azure.</summary>
public sealed class UsingDotNetSdks(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    private const string Prompt = "Tell me a story";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Microsoft_Extensions_AI_chats_streams_calls_tools_and_reads_objects(bool azure)
    {
        await house.Fleet.WorkAsync();
        var called = new List<string>();
        using var chat = Client(azure).GetChatClient(Model).AsIChatClient().AsBuilder().UseFunctionInvocation().Build();
        var tools = new ChatOptions { Tools = [AIFunctionFactory.Create((string city) => Told(called, city), "forecast")] };

        var whole = await chat.GetResponseAsync(Prompt);
        var parts = await chat.GetStreamingResponseAsync(Prompt).ToListAsync();
        var afterTool = await chat.GetStreamingResponseAsync(Prompt, tools).ToListAsync();
        var note = (await chat.GetResponseAsync<Note>(Prompt)).Result;

        AssertWhole(whole.Text);
        Assert.True(whole.Usage?.OutputTokenCount > 0);
        AssertWhole(parts.ToChatResponse().Text);
        Assert.True(parts.Count > 5, $"{parts.Count} parts");
        Assert.True(parts.ToChatResponse().Usage?.OutputTokenCount > 0);
        Assert.Single(called);
        AssertWhole(afterTool.ToChatResponse().Text);
        Assert.NotEmpty(note.Title);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Microsoft_Extensions_AI_gets_embeddings(bool azure)
    {
        await house.Fleet.WorkAsync();
        using var embeddings = Client(azure).GetEmbeddingClient(Model).AsIEmbeddingGenerator();

        var vectors = await embeddings.GenerateAsync(["one", "two"]);

        Assert.NotEqual(vectors[0].Vector.ToArray(), vectors[1].Vector.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Semantic_Kernel_chats_streams_calls_tools_and_reads_objects(bool azure)
    {
        await house.Fleet.WorkAsync();
        var called = new List<string>();
        var builder = Kernel.CreateBuilder();
        if (azure)
            builder.AddAzureOpenAIChatCompletion(Model, (AzureOpenAIClient)Client(azure));
        else
            builder.AddOpenAIChatCompletion(Model, Client(azure));
        var kernel = builder.Build();

        var whole = await kernel.InvokePromptAsync(Prompt);
        var parts = await kernel.InvokePromptStreamingAsync<StreamingChatMessageContent>(Prompt).ToListAsync();
        var note = await kernel.InvokePromptAsync(Prompt, new(new OpenAIPromptExecutionSettings { ResponseFormat = typeof(Note) }));
        var forecast = KernelFunctionFactory.CreateFromMethod((string city) => Told(called, city), "forecast");
        kernel.Plugins.AddFromFunctions("weather", [forecast]);
        var withTools = new OpenAIPromptExecutionSettings { FunctionChoiceBehavior = FunctionChoiceBehavior.Auto() };
        var afterTool = await kernel.InvokePromptAsync(Prompt, new(withTools));

        AssertWhole(whole.ToString());
        AssertWhole(string.Concat(parts.Select(part => part.Content)));
        Assert.True(parts.Count > 5, $"{parts.Count} parts");
        Assert.NotEmpty(JsonSerializer.Deserialize<Note>(note.ToString())!.Title);
        Assert.Single(called);
        AssertWhole(afterTool.ToString());
    }

    [Fact]
    public async Task Azure_s_client_uploads_reads_and_deletes_files_and_runs_batches()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var azure = Client(azure: true);
        var (files, batches) = (azure.GetOpenAIFileClient(), azure.GetBatchClient());

        var file = (await files.UploadFileAsync(BinaryData.FromString(desk.Lines(2)), "in.jsonl", FileUploadPurpose.Batch)).Value;
        var wanted = new { input_file_id = file.Id, endpoint = "/chat/completions", completion_window = "24h" };
        var batch = await batches.CreateBatchAsync(System.ClientModel.BinaryContent.CreateJson(wanted), waitUntilCompleted: true);

        Assert.Equal(("in.jsonl", null), ((await files.GetFileAsync(file.Id)).Value.Filename, file.ExpiresAt));
        Assert.True(batch.HasCompleted);
        Assert.True((await files.DeleteFileAsync(file.Id)).Value.Deleted);
    }

    // A name as hubs of open models have them.
    private static string Model { get; } = $"org/{Stores.NewName("model")}:1";

    private static string Told(List<string> called, string city)
    {
        called.Add(city);
        return "sunny";
    }

    // The simulator ends a text with the hash of the prompt in brackets.
    private static void AssertWhole(string text) => Assert.Matches(@"^\w.* \[[0-9a-f]{16}\]\z", text);

    private OpenAIClient Client(bool azure)
    {
        var (key, once, address) = (new ApiKeyCredential(GatewayHouse.Key), new ClientRetryPolicy(0), house.Gateway.Address);
        return azure
            ? new AzureOpenAIClient(address, key, new AzureOpenAIClientOptions { RetryPolicy = once })
            : new OpenAIClient(key, new OpenAIClientOptions { RetryPolicy = once, Endpoint = new Uri(address, "v1") });
    }

    private sealed record Note(string Title, string[] Tags);
}
