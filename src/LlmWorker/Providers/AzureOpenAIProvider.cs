using System.ClientModel;
using Azure.AI.OpenAI;
using Azure.Identity;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.Connectors.AzureOpenAI;
using OpenAI;

namespace LlmPipeline;

/// <summary>
/// Azure OpenAI: the deployment is part of the path, an api-version goes with each call, and a key or Azure.Identity signs it.
/// </summary>
internal sealed class AzureOpenAIProvider : Provider
{
    private const string KeyHeader = "api-key";
    private readonly AzureOpenAIClient _client;
    private readonly ProviderKey _key;
    private readonly string _root;
    private readonly string _query;

    public AzureOpenAIProvider(DeploymentOptions options, ProviderKey key, HttpClient http)
        : base(options)
    {
        _key = key;
        _root = options.Endpoint.TrimEnd('/');
        _query = $"api-version={Uri.EscapeDataString(options.ApiVersion)}";
        var clientOptions = ClientOptions(new AzureOpenAIClientOptions(), http);
        _client = key.Current is { Length: > 0 } text
            ? new AzureOpenAIClient(new Uri(_root), new ApiKeyCredential(text), clientOptions)
            : new AzureOpenAIClient(new Uri(_root), new DefaultAzureCredential(), clientOptions);
    }

    public override OpenAIClient Client => _client;

    public override string TelemetryName => "azure.ai.openai";

    public override Uri KeyProbe => new($"{_root}/openai/models");

    public override IChatCompletionService CreateChat(string model) => new AzureOpenAIChatCompletionService(model, _client);

    public override Uri Url(string model, string path) => path == "/v1/responses"
        ? new Uri($"{_root}/openai/responses")
        : new Uri($"{_root}/openai/deployments/{Uri.EscapeDataString(model)}{path["/v1".Length..]}");

    // Semantic Kernel's client knows only the api-versions of its time.
    protected override void Correct(HttpRequestMessage request)
    {
        if (request.RequestUri is { } uri)
            request.RequestUri = new UriBuilder(uri) { Query = _query }.Uri;
        if (request.Headers.Contains(KeyHeader) && _key.Refresh() is { } key)
        {
            request.Headers.Remove(KeyHeader);
            request.Headers.TryAddWithoutValidation(KeyHeader, key);
        }
    }
}
