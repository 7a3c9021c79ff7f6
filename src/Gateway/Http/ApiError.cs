namespace LlmPipeline;

/// <summary>An error as OpenAI's API words it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Message">For people.</param>
/// <param name="Type">The kind.</param>
/// <param name="Param">The parameter that is wrong; null for none.</param>
/// <param name="Code">For programs; null for none.</param>
internal sealed record ApiError(int Status, string Message, string Type, string? Param = null, string? Code = null)
{
    private const string InvalidRequest = "invalid_request_error";

    /// <summary>When it is worth trying again; null when it isn't said.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public static ApiError Invalid(string? param, string message, string? code = null) => new(400, message, InvalidRequest, param, code);

    public static ApiError NoKey() => new(
        401, "You didn't provide an API key. Provide it in an Authorization header: Authorization: Bearer YOUR_KEY", InvalidRequest);

    public static ApiError WrongKey() => new(401, "Incorrect API key provided.", InvalidRequest, null, "invalid_api_key");

    public static ApiError Forbidden(string message) => new(403, message, InvalidRequest, null, "forbidden");

    public static ApiError NotFound(string message, string? param = null) => new(404, message, InvalidRequest, param, "not_found");

    public static ApiError UnknownModel(string model) => new(
        404, $"The model '{model}' does not exist", InvalidRequest, "model", "model_not_found");

    public static ApiError Conflict(string message, string? param = null) => new(409, message, InvalidRequest, param, "conflict");

    public static ApiError TooLarge(string message) => new(413, message, InvalidRequest, null, "request_too_large");

    public static ApiError TooMany(string message, TimeSpan retryAfter) => new(429, message, "rate_limit_error", null, "rate_limit_exceeded") { RetryAfter = retryAfter };

    /// <summary>The fleet has as many queues as it may have, and none of this model.</summary>
    public static ApiError TooManyModels() => TooMany("There are as many models as this service takes, and the one of the request is not among them.", TimeSpan.FromMinutes(1));

    public static ApiError Away(string message) => new(503, message, "server_error", null, "unavailable") { RetryAfter = TimeSpan.FromSeconds(1) };

    public static ApiError Internal() => new(500, "The gateway met an error of its own; its log tells which.", "server_error");

    /// <summary>For an HTTP status that came about elsewhere.</summary>
    public static ApiError Of(int status, string message) => status switch
    {
        413 => TooLarge(message),
        >= 500 => new(status, message, "server_error"),
        _ => new(status, message, InvalidRequest),
    };

    /// <summary>To be thrown where the call ends with it.</summary>
    public ApiException Thrown(Exception? cause = null) => new(this, cause);
}

/// <summary>A call ends with an error that the caller is told.</summary>
internal sealed class ApiException(ApiError error, Exception? cause) : Exception(error.Message, cause)
{
    public ApiError Error { get; } = error;
}
