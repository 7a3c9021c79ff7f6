namespace LlmPipeline;

/// <summary>Where a call goes.</summary>
/// <param name="Kind">What is called.</param>
/// <param name="Azure">Whether Azure's way of errors and keys applies.</param>
/// <param name="Deployment">Azure's deployment; null where the body names it.</param>
internal sealed record CallRoute(CallKind Kind, bool Azure, string? Deployment)
{
    private const string Deployments = "/openai/deployments/";

    private static readonly CallRoute Chat = new(CallKind.Chat, false, null);
    private static readonly CallRoute Completion = new(CallKind.Completion, false, null);
    private static readonly CallRoute Embedding = new(CallKind.Embedding, false, null);
    private static readonly CallRoute Response = new(CallKind.Response, false, null);
    private static readonly CallRoute AzureResponse = new(CallKind.Response, true, null);

    /// <summary>Whether errors on this path have Azure's shape.</summary>
    public static bool IsAzure(string path) => path.StartsWith("/openai/", StringComparison.OrdinalIgnoreCase);

    /// <summary>The call that a path means; null for none.</summary>
    public static CallRoute? Of(string path)
    {
        switch (path)
        {
            case "/v1/chat/completions":
                return Chat;
            case "/v1/completions":
                return Completion;
            case "/v1/embeddings":
                return Embedding;
            case "/v1/responses":
                return Response;
            case "/openai/responses":
                return AzureResponse;
        }
        if (!path.StartsWith(Deployments, StringComparison.OrdinalIgnoreCase))
            return null;
        var rest = path.AsSpan(Deployments.Length);
        var slash = rest.IndexOf('/');
        if (slash <= 0)
            return null;
        CallKind? kind = rest[slash..] switch
        {
            "/chat/completions" => CallKind.Chat,
            "/completions" => CallKind.Completion,
            "/embeddings" => CallKind.Embedding,
            _ => null,
        };
        return kind is { } known ? new CallRoute(known, true, rest[..slash].ToString()) : null;
    }
}
