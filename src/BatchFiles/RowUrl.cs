using System.Text.Json;

namespace LlmPipeline;

/// <summary>The OpenAI paths that a row may go to. Azure leaves out the <c>/v1</c>, which is understood.</summary>
internal static class RowUrl
{
    public const string Chat = "/v1/chat/completions";
    public const string Embeddings = "/v1/embeddings";
    public const string Completions = "/v1/completions";
    public const string Responses = "/v1/responses";

    public const string All = $"{Chat}, {Embeddings}, {Completions}, {Responses}";

    /// <summary>The path that a text names; null for none of them.</summary>
    public static string? Known(string url) => url switch
    {
        Chat or "/chat/completions" => Chat,
        Embeddings or "/embeddings" => Embeddings,
        Completions or "/completions" => Completions,
        Responses or "/responses" => Responses,
        _ => null,
    };

    /// <summary>The path that the string which the reader is on names; null for none of them.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="others">Whether a path of another OpenAI-shaped API is one too, such as <c>/v1/moderations</c> or <c>/v1/rerank</c>.</param>
    public static string? Known(ref Utf8JsonReader reader, bool others) =>
        JsonText.Is(ref reader, "/v1/chat/completions"u8) ? Chat
        : JsonText.Is(ref reader, "/v1/embeddings"u8) ? Embeddings
        : JsonText.Is(ref reader, "/v1/completions"u8) ? Completions
        : JsonText.Is(ref reader, "/v1/responses"u8) ? Responses
        : JsonText.TryGet(ref reader, out var url) ? Known(url) ?? (others && IsOther(url) ? url : null)
        : null;

    // Segments of letters, digits, - and _ below /v1/.
    private static bool IsOther(string url) =>
        url.StartsWith("/v1/", StringComparison.Ordinal) && url.Length <= 100
        && url[4..].Split('/').All(part => part.Length > 0 && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
}
