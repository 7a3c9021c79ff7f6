using System.Buffers;

namespace LlmPipeline;

/// <summary>
/// The headers and query fields that a deployment's settings add to each of its calls. Their values may be secrets, and are in no message.
/// </summary>
internal static class EndpointAdditions
{
    // RFC 9110, 5.6.2.
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    // Of the connection, of the body, or of the pipeline itself: whoever set them would break the call.
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", CallHandler.JobIdHeader,
    };

    /// <summary>Adds them to a request.</summary>
    public static void Apply(DeploymentOptions options, HttpRequestMessage request)
    {
        foreach (var (name, value) in options.Headers)
        {
            // In the place of what the SDK has set, such as User-Agent.
            request.Headers.Remove(name);
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (options.Query.Count == 0 || request.RequestUri is not { } uri)
            return;
        var added =
            string.Join('&', options.Query.Select(field => $"{Uri.EscapeDataString(field.Key)}={Uri.EscapeDataString(field.Value)}"));
        request.RequestUri = new UriBuilder(uri) { Query = uri.Query.Length > 1 ? $"{uri.Query[1..]}&{added}" : added }.Uri;
    }

    /// <summary>What is wrong with them, a line a fault.</summary>
    public static IEnumerable<string> Faults(DeploymentOptions options, string where)
    {
        foreach (var (name, value) in options.Headers)
        {
            if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(TokenCharacters))
                yield return $"{where}.Headers: '{Printable(name)}' is not the name of a header";
            else if (Reserved.Contains(name))
                yield return $"{where}.Headers: {name} cannot be set: it belongs to the call itself";
            else if (IsSigned(options, name))
                yield return $"{where}.Headers: {name} is what signs the calls already; {(!options.HasKey ? "Azure.Identity makes it" : "leave ApiKey out, or the header")}";
            else if (string.IsNullOrEmpty(value) || value.Any(c => c is < ' ' or > '~') || value != value.Trim())
                yield return $"{where}.Headers: the value of {name} is empty, or holds a character that no header may hold";
        }

        foreach (var (name, value) in options.Query)
        {
            if (name.Length == 0 || name.Any(char.IsControl))
                yield return $"{where}.Query: '{Printable(name)}' is not the name of a field";
            else if (options.Kind == DeploymentKind.AzureOpenAI && name == "api-version")
                yield return $"{where}.Query: api-version is the setting ApiVersion";
            else if (value is null || value.Any(char.IsControl))
                yield return $"{where}.Query: the value of {name} is missing, or holds a control character";
        }
    }

    private static bool IsSigned(DeploymentOptions options, string name) => options.Kind == DeploymentKind.AzureOpenAI
        ? name.Equals("api-key", StringComparison.OrdinalIgnoreCase) || name.Equals("Authorization", StringComparison.OrdinalIgnoreCase)
        : options.HasKey && name.Equals("Authorization", StringComparison.OrdinalIgnoreCase);

    private static string Printable(string name) => new([.. name.Select(c => char.IsControl(c) ? '?' : c)]);
}
