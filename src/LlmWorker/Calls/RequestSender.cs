using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>Request jobs: path and body to the provider byte for byte, through the pipeline of the SDK's client, which signs them.</summary>
internal static partial class RequestSender
{
    private const string StreamOptions = "stream_options";

    /// <summary>Sends it; the answer is in the <see cref="CallContext"/>.</summary>
    /// <param name="deployment">Where to.</param>
    /// <param name="model">What the job calls the model.</param>
    /// <param name="served">What it is asked for: the same, or a model to fall back to.</param>
    /// <param name="work">Path and body.</param>
    /// <param name="stream">Called, when the answer is to be streamed, for what receives its events; null for nobody.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    public static async Task SendAsync(Deployment deployment, string model, string served, RequestWork work, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken)
    {
        var name = deployment.ProviderModel(served);
        var body = name == model ? work.Body : ModelField.Replace(work.Body, name);
        var streamed = StreamFields.IsStreamed(body);
        if (streamed)
            CallContext.Current.Delta = stream?.Invoke(CallContext.Current.AttemptTimeout / 2);
        var asksUsage = streamed && work.Path is ("/v1/chat/completions" or "/v1/completions") && !deployment.Refused.Of(name).Contains(StreamOptions);
        var withUsage = asksUsage ? StreamFields.WithUsage(body) : body;
        var url = deployment.Provider.Url(name, work.Path);
        await SendAsync(deployment, url, withUsage, streamed, cancellationToken);
        if (withUsage.Equals(body) || !IsRefusedForStreamOptions(CallContext.Current.Answers))
            return;
        // It is ours, and not the caller's.
        deployment.Refused.Add(name, StreamOptions);
        await SendAsync(deployment, url, body, streamed, cancellationToken);
    }

    private static async Task SendAsync(
        Deployment deployment, Uri url, ReadOnlyMemory<byte> body, bool streamed, CancellationToken cancellationToken)
    {
        using var message = deployment.Provider.Client.Pipeline.CreateMessage(url, "POST");
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Headers.Set("Accept", streamed ? StreamedAnswer.MediaType : "application/json");
        message.Request.Content = BinaryContent.Create(new BinaryData(body));
        message.Apply(new RequestOptions { ErrorOptions = ClientErrorBehaviors.NoThrow, CancellationToken = cancellationToken });
        await deployment.Provider.Client.Pipeline.SendAsync(message);
    }

    // Mistral answers 422 (https://github.com/openai/openai-agents-python/issues/442).
    private static bool IsRefusedForStreamOptions(List<HttpAnswer> answers) =>
        answers is [.., { Status: 400 or 422 } last] && last.Body.Span.IndexOf("stream_options"u8) >= 0;

    /// <summary>Whether it is a path of OpenAI's API, and nothing that a base URL could be led astray with.</summary>
    public static bool IsPath(string path) => Path().IsMatch(path) && !path.Contains("..", StringComparison.Ordinal);

    [GeneratedRegex(@"^/v1(/[A-Za-z0-9_.-]+)+\z")]
    private static partial Regex Path();
}
