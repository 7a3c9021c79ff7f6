using System.Text.Json;

namespace LlmPipeline;

/// <summary>The error in a provider's body, whoever made it: OpenAI, Azure and its gateway, vLLM, Ollama, FastAPI. Fields that are not there are null.</summary>
internal sealed record ProviderError(string? Code, string? Type, string? Param, string? Message)
{
    private static readonly ProviderError None = new(null, null, null, null);

    public static ProviderError Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() == 1)
                root = root[0]; // Google's OpenAI-compatible endpoint wraps it
            if (root.ValueKind != JsonValueKind.Object)
                return None;
            if (root.TryGetProperty("error", out var error))
            {
                if (error.ValueKind == JsonValueKind.String)
                    return new ProviderError(null, null, null, error.GetString());
                if (error.ValueKind == JsonValueKind.Object)
                    return Fields(error);
            }
            var bare = Fields(root);
            return bare.Message is null && root.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.String
                ? bare with { Message = detail.GetString() }
                : bare;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or half a surrogate in a string: then there is nothing to learn from it.
            return None;
        }
    }

    /// <summary>Whether the provider's content filter refused the request.</summary>
    public bool IsContentFilter => Code is "content_filter" or "content_policy_violation" or "ResponsibleAIPolicyViolation" or "moderation_blocked";

    /// <summary>Whether the account is out of money or shut, which no waiting mends.</summary>
    public bool IsAccount =>
        Code is "insufficient_quota" or "billing_hard_limit_reached" or "billing_not_active" or "account_deactivated" or "access_terminated"
        || Type is "insufficient_quota";

    /// <summary>Whether the endpoint does not have the model. Where only the message says so, it is believed with a 404 alone: other messages may quote a prompt.</summary>
    public bool IsUnknownModel(int status) =>
        Code is "model_not_found" or "DeploymentNotFound" or "unknown_model" or "invalid_model" || Type is "invalid_model"
        || (status == 404 && Message is not null && Message.Contains("model", StringComparison.OrdinalIgnoreCase) && Param is null or "model"
            && (Message.Contains("does not exist", StringComparison.OrdinalIgnoreCase) || Message.Contains("not found, try pulling it", StringComparison.OrdinalIgnoreCase)));

    private static ProviderError Fields(JsonElement element) =>
        new(Text(element, "code"), Text(element, "type"), Text(element, "param"), Text(element, "message"));

    private static string? Text(JsonElement element, string name) => !element.TryGetProperty(name, out var value)
        ? null
        : value.ValueKind switch
        {
            JsonValueKind.String => value.GetString() is { Length: > 0 } text ? text : null,
            JsonValueKind.Number => value.GetRawText(),
            _ => null,
        };
}
