using System.ClientModel;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.Connectors.OpenAI;
using OpenAI;

namespace LlmPipeline;

/// <summary>OpenAI, and every server that speaks its API below a base URL ending in <c>/v1</c>.</summary>
internal sealed class OpenAIProvider : Provider
{
    private const string NoKey = "none";
    private readonly bool _hasKey;
    private readonly string _root;

    public OpenAIProvider(DeploymentOptions options, HttpClient http)
        : base(options)
    {
        _hasKey = options.ApiKey is not null;
        _root = options.Endpoint.TrimEnd('/');
        Client = new OpenAIClient(
            new ApiKeyCredential(options.ApiKey is { Length: > 0 } key ? key : NoKey),
            ClientOptions(new OpenAIClientOptions { Endpoint = new Uri(_root) }, http));
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
        if (!_hasKey)
            request.Headers.Authorization = null;
    }
}
