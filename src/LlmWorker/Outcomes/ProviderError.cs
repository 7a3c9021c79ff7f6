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
            if (LenientJson.ToDecodable(body, out _) is not { } json)
                return None;
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() == 1)
                root = root[0]; // Google's OpenAI-compatible endpoint wraps it
            if (root.ValueKind != JsonValueKind.Object)
                return None;
            // Cloudflare, watsonx
            if (root.TryGetProperty("errors", out var errors)
                && errors.ValueKind == JsonValueKind.Array
                && errors.GetArrayLength() > 0
                && errors[0].ValueKind == JsonValueKind.Object)
                return Fields(errors[0]);
            if (root.TryGetProperty("error", out var error))
            {
                if (error.ValueKind == JsonValueKind.String)
                    return new ProviderError(null, null, null, error.GetString());
                if (error.ValueKind == JsonValueKind.Object)
                    return Fields(error);
            }
            var bare = Fields(root);
            if (bare.Message is not null)
                return bare;
            return root.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.String
                ? bare with { Message = detail.GetString() }
                : ErrorFields.Find(root) is { } inner ? Fields(inner) : bare;
        }
        catch (JsonException)
        {
            // Nested deeper than any error is: then there is nothing to learn from it.
            return None;
        }
    }

    private static readonly HashSet<string> RowCodes = new(StringComparer.OrdinalIgnoreCase)
    {
        "content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "moderation_blocked", "context_length_exceeded",
        "string_above_max_length", "request_too_large",
        "previous_response_not_found", "invalid_image", "invalid_image_url", "invalid_image_format", "image_too_large", "image_parse_error",
        "invalid_base64", "invalid_base64_image",
        "image_content_policy_violation", "invalid_prompt", "data_inspection_failed", "DataInspectionFailed", "max_tokens_exceeded",
        "tokens_exceeded", "exceed_context_size_error", "json_validate_failed",
        "invalid_json",
    };

    private static readonly HashSet<string> AccountCodes = new(StringComparer.OrdinalIgnoreCase)
    {
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated", "access_terminated", "invalid_api_key", "exceeded_current_quota_error",
        "invalid_authentication_error", "authentication_error", "API_KEY_INVALID", "insufficient_balance", "Arrearage", "budget_exceeded", "insufficient_balance_error",
    };

    private static readonly HashSet<string> ModelCodes = new(StringComparer.OrdinalIgnoreCase)
    {
        "model_not_found", "DeploymentNotFound", "unknown_model", "invalid_model", "model_not_available", "ModelNotFound", "model_not_supported",
        "model_decommissioned", "model_deprecated", "model_access_denied", "Model.AccessDenied", "key_model_access_denied",
        "team_model_access_denied",
    };

    /// <summary>Whether it is known to be the row's own fault: the provider's content filter refused it, or it is too long.</summary>
    public bool IsRowFault =>
        (Code is not null && RowCodes.Contains(Code)) || (Type is not null && RowCodes.Contains(Type))
        || (Message is not null && (ErrorWords.SayTooLong(Message) || ErrorWords.SayModeration(Message)
            || OversizedRequest.SaysTheRequestAlone(Message)));

    /// <summary>Whether the provider's content filter refused the request.</summary>
    public bool IsContentFilter => Code is "content_filter" or "content_policy_violation" or "ResponsibleAIPolicyViolation" or "moderation_blocked";

    /// <summary>Whether its code says so, which it does of nothing but this.</summary>
    public bool HasRowCode => (Code is not null && RowCodes.Contains(Code)) || (Type is not null && RowCodes.Contains(Type));

    /// <summary>Whether the key is wrong, or the account is out of money or shut, which no waiting resolves.</summary>
    public bool IsAccount(int status) =>
        (Code is not null && AccountCodes.Contains(Code)) || (Type is not null && AccountCodes.Contains(Type))
        || (status != 429 && Message is not null && ErrorWords.SayAccount(Message));

    /// <summary>Whether the endpoint does not have the model.</summary>
    public bool IsUnknownModel(int status) =>
        (Code is not null && ModelCodes.Contains(Code)) || (Type is not null && ModelCodes.Contains(Type))
        || (status is 400 or 404 or 410 or 422 && Message is not null && Param is null or "model" && ErrorWords.SayUnknownModel(Message));

    /// <summary>
    /// The status that its code or type, and with some statuses its sentence, stands for, where that is one that passes by waiting: AWS
    /// sends a <c>ThrottlingException</c> as 400, Google its <c>rateLimitExceeded</c> as 403. Null for another.
    /// </summary>
    public int? PassingStatus(int status) =>
        InnerError.StatusOf(Code) is { } code && Passes(code) ? code
        : InnerError.StatusOf(Type) is { } type && Passes(type) ? type
        : status is 400 or 403 or 420 && Message is not null && ErrorWords.NameRateLimit(Message) ? 429
        : null;

    private static bool Passes(int status) => status is 429 or 503 or 504 or 529;

    private static ProviderError Fields(JsonElement element) =>
        new(ErrorFields.Code(element), ErrorFields.Text(element, "type"), ErrorFields.Text(element, "param"), ErrorFields.Message(element));
}
