using System.Text.Json;

namespace LlmPipeline;

/// <summary>Error bodies as OpenAI and Azure write them.</summary>
internal static class ErrorBody
{
    /// <summary>OpenAI's shape has all four members always; Azure's has a code, its status where there is no better one, and a message.</summary>
    public static void Write(Utf8JsonWriter json, (CallProblem Problem, bool Azure) error)
    {
        var (problem, azure) = error;
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        if (azure)
        {
            json.WriteString("code"u8, problem.Code ?? problem.Status.ToString(System.Globalization.CultureInfo.InvariantCulture));
            json.WriteString("message"u8, problem.Message);
            if (problem.Param is not null)
                json.WriteString("param"u8, problem.Param);
        }
        else
        {
            json.WriteString("message"u8, problem.Message);
            json.WriteString("type"u8, problem.Type);
            json.WriteString("param"u8, problem.Param);
            json.WriteString("code"u8, problem.Code);
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The error that goes with a status, where nothing in the request is the cause.</summary>
    public static CallProblem OfStatus(int status, string? model, bool azure) => status switch
    {
        400 => new(400, "The request is not accepted, as the simulator was told."),
        401 => WrongKey(azure),
        403 => new(403, "Country, region, or territory not supported", null, "unsupported_country_region_territory", "request_forbidden"),
        404 => UnknownModel(model, azure),
        429 => new(429, "Rate limit reached, as the simulator was told.", null, "rate_limit_exceeded", "requests"),
        503 => new(503, "The engine is currently overloaded, please try again later.", null, null, "server_error"),
        >= 500 => new(status, "The server had an error while processing your request. Sorry about that!", null, null, "server_error"),
        _ => new(status, $"Status {status}, as the simulator was told."),
    };

    /// <summary>No key, or not the right one.</summary>
    public static CallProblem WrongKey(bool azure) => azure
        ? new(401, "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.")
        : new(401, "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.", null, "invalid_api_key");

    /// <summary>A model that is not served.</summary>
    public static CallProblem UnknownModel(string? model, bool azure) => azure
        ? new(404, "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.", null, "DeploymentNotFound")
        : new(404, $"The model `{model}` does not exist or you do not have access to it.", null, "model_not_found");

    /// <summary>The account has no money left.</summary>
    public static CallProblem QuotaExhausted { get; } =
        new(429, "You exceeded your current quota, please check your plan and billing details.", null, "insufficient_quota", "insufficient_quota");

    /// <summary>The prompt offends.</summary>
    public static CallProblem ContentFilter { get; } =
        new(400, "The response was filtered due to the prompt triggering the content management policy. Please modify your prompt and retry.", "prompt", "content_filter", null);

    /// <summary>A window is full.</summary>
    public static CallProblem Limited(RefusedBy refused, TimeSpan retryAfter, string? model, bool azure)
    {
        if (azure)
        {
            var seconds = (int)Math.Max(1, Math.Ceiling(retryAfter.TotalSeconds));
            return new(429, $"Requests to the operation have exceeded the {(refused.Tokens ? "token" : "call")} rate limit of your current pricing tier. Please retry after {seconds} seconds.");
        }
        var (what, type) = refused.Tokens ? ("tokens per min (TPM)", "tokens") : ("requests per min (RPM)", "requests");
        var message = refused.Requested > refused.Limit
            ? $"Request too large for {model} on {what}: Limit {refused.Limit}, Requested {refused.Requested}. The input or output tokens must be reduced in order to run successfully."
            : $"Rate limit reached for {model} on {what}: Limit {refused.Limit}, Used {refused.Used}, Requested {refused.Requested}. Please try again in {GoDuration.Format(retryAfter)}.";
        return new(429, message, null, "rate_limit_exceeded", type);
    }
}
