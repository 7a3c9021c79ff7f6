using System.ClientModel.Primitives;
using Microsoft.SemanticKernel.ChatCompletion;
using OpenAI;

namespace LlmPipeline;

/// <summary>
/// The protocol of a deployment: how it is addressed, how calls are signed, and what its answers say beside the completion.
/// </summary>
internal abstract class Provider(DeploymentOptions options)
{
    private static readonly string[] RequestIdHeaders = ["x-request-id", "apim-request-id", "x-ms-request-id", "request-id"];

    /// <summary>The provider of a deployment.</summary>
    /// <param name="options">Checked ones.</param>
    /// <param name="key">Its key.</param>
    /// <param name="http">Sends all of its calls.</param>
    public static Provider Create(DeploymentOptions options, ProviderKey key, HttpClient http) => options.Kind switch
    {
        DeploymentKind.AzureOpenAI => new AzureOpenAIProvider(options, key, http),
        _ => new OpenAIProvider(options, key, http),
    };

    /// <summary>The SDK's client, whose pipeline signs calls.</summary>
    public abstract OpenAIClient Client { get; }

    /// <summary>The value of <c>gen_ai.provider.name</c> in the OpenTelemetry conventions.</summary>
    public abstract string TelemetryName { get; }

    /// <summary>Where a key can be checked without cost, by a GET: the list of models.</summary>
    public abstract Uri KeyProbe { get; }

    /// <summary>Semantic Kernel's chat service for a model.</summary>
    /// <param name="model">What the provider calls it.</param>
    public abstract IChatCompletionService CreateChat(string model);

    /// <summary>Where a request goes.</summary>
    /// <param name="model">What the provider calls the model.</param>
    /// <param name="path">The path of a job, which begins with <c>/v1</c>.</param>
    public abstract Uri Url(string model, string path);

    /// <summary>Corrects what the SDKs made of a request, and adds what the settings say.</summary>
    public void Prepare(HttpRequestMessage request)
    {
        Correct(request);
        EndpointAdditions.Apply(options, request);
    }

    /// <summary>Corrects what the SDKs made of a request.</summary>
    protected virtual void Correct(HttpRequestMessage request)
    {
    }

    /// <summary>The provider's id of a request; null when it says none.</summary>
    public virtual string? RequestId(HttpResponseMessage response)
    {
        foreach (var name in RequestIdHeaders)
        {
            if (response.Headers.TryGetValues(name, out var values) && values.FirstOrDefault() is { Length: > 0 } id)
                return id;
        }

        return null;
    }

    /// <summary>What an answer says of the provider's limits.</summary>
    public virtual RateLimitHeaders Limits(HttpResponseMessage response, DateTimeOffset now) =>
        RateLimitHeaders.Read(response.Headers, now);

    /// <summary>Options of an SDK's client that neither retries, nor times out, nor logs: one layer does, and it is not the SDK.</summary>
    protected static T ClientOptions<T>(T options, HttpClient http)
        where T : ClientPipelineOptions
    {
        options.Transport = new HttpClientPipelineTransport(http);
        options.RetryPolicy = new ClientRetryPolicy(0);
        options.NetworkTimeout = Timeout.InfiniteTimeSpan;
        options.ClientLoggingOptions = new ClientLoggingOptions { EnableLogging = false };
        return options;
    }
}
