using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>Request jobs: path and body to the provider byte for byte, through the pipeline of the SDK's client, which signs them.</summary>
internal static partial class RequestSender
{
    /// <summary>Sends it; the answer is in the <see cref="CallContext"/>.</summary>
    /// <param name="deployment">Where to.</param>
    /// <param name="model">What the job calls the model.</param>
    /// <param name="served">What it is asked for: the same, or a model to fall back to.</param>
    /// <param name="work">Path and body.</param>
    /// <param name="stream">Asked, when the answer is to be streamed, for who gets its events; null for nobody.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    public static async Task SendAsync(Deployment deployment, string model, string served, RequestWork work, Func<Action<string>>? stream, CancellationToken cancellationToken)
    {
        var name = deployment.ProviderModel(served);
        var body = name == model ? work.Body : ModelField.Replace(work.Body, name);
        var streamed = StreamFields.IsStreamed(body);
        if (streamed)
            CallContext.Current.Delta = stream?.Invoke();
        if (streamed && work.Path is ("/v1/chat/completions" or "/v1/completions"))
            body = StreamFields.WithUsage(body);
        using var message = deployment.Provider.Client.Pipeline.CreateMessage(deployment.Provider.Url(name, work.Path), "POST");
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Headers.Set("Accept", streamed ? StreamedAnswer.MediaType : "application/json");
        message.Request.Content = BinaryContent.Create(new BinaryData(body));
        message.Apply(new RequestOptions { ErrorOptions = ClientErrorBehaviors.NoThrow, CancellationToken = cancellationToken });
        await deployment.Provider.Client.Pipeline.SendAsync(message);
    }

    /// <summary>Whether it is a path of OpenAI's API, and nothing that a base URL could be led astray with.</summary>
    public static bool IsPath(string path) => Path().IsMatch(path) && !path.Contains("..", StringComparison.Ordinal);

    [GeneratedRegex(@"^/v1(/[A-Za-z0-9_.-]+)+\z")]
    private static partial Regex Path();
}
