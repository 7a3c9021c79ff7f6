using System.ClientModel;
using System.Net.Http.Headers;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.Connectors.OpenAI;
using OpenAI;

namespace LlmPipeline;

/// <summary>OpenAI, and every server that speaks its API below a base URL ending in <c>/v1</c>.</summary>
internal sealed class OpenAIProvider : Provider
{
    private const string NoKey = "none";
    private readonly ProviderKey _key;
    private readonly string _root;

    public OpenAIProvider(DeploymentOptions options, ProviderKey key, HttpClient http)
        : base(options)
    {
        _key = key;
        _root = options.Endpoint.TrimEnd('/');
        Client = new OpenAIClient(
            new ApiKeyCredential(key.Current is { Length: > 0 } text ? text : NoKey), ClientOptions(new OpenAIClientOptions { Endpoint = new Uri(_root) }, http));
    }

    public override OpenAIClient Client { get; }

    public override string TelemetryName => "openai";

    public override Uri KeyProbe => new(_root + "/models");

    public override IChatCompletionService CreateChat(string model) => new OpenAIChatCompletionService(model, Client);

    // A job's path begins with /v1, and so does the base URL's end.
    public override Uri Url(string model, string path) => new(_root + path["/v1".Length..]);

    // The SDK wants a key; an endpoint without one must not get the stand-in.
    protected override void Correct(HttpRequestMessage request)
    {
        // A request without any is one that shall have none.
        if (request.Headers.Authorization is not null)
            request.Headers.Authorization = _key.Refresh() is { } key ? new AuthenticationHeaderValue("Bearer", key) : null;
    }
}
