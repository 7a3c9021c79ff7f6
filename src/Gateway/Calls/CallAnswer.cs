using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Makes of the stored end of a job what a caller is answered who waits for it.</summary>
internal static class CallAnswer
{
    // Deeper answers are no JSON for most readers.
    public const int MaxDepth = 512;

    /// <summary>Answers the provider's status and body, byte for byte; where there is none that a client could read, an error in OpenAI's shape.</summary>
    public static async Task WriteAsync(HttpContext context, JobResult result)
    {
        RequestId.Of(context).OfProvider = result.Meta.RequestId;
        if (Error(result) is { } error)
        {
            await context.WriteErrorAsync(error);
            return;
        }

        context.Response.StatusCode = Status(result);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = result.Response.Length;
        await context.WriteBytesAsync(result.Response);
    }

    /// <summary>What to tell in place of the provider's body; null where that is to be told: a completion, or a refusal in JSON.</summary>
    public static ApiError? Error(JobResult result)
    {
        var (code, message) = (result.Meta.Error?.Code, result.Meta.Error?.Message ?? "no completion");
        return result.Status switch
        {
            ResultStatus.Completed => null,
            ResultStatus.Failed when result.Meta.StatusCode is >= 400 and < 600 and var status =>
                IsJson(result.Response.Span) ? null : ApiError.Of(status, message) with { Code = code },
            // The provider's own words, for its own caller.
            ResultStatus.Failed =>
                new ApiError(StatusCodes.Status502BadGateway, ProviderSentence.Of(result.Response) ?? message, "server_error", null, code),
            ResultStatus.Cancelled => new ApiError(StatusCodes.Status410Gone, "The call was cancelled by an operator of the fleet.", "invalid_request_error", null, "cancelled"),
            _ => NoAnswer(message),
        };
    }

    /// <summary>The caller's patience is over.</summary>
    public static ApiError NoAnswer(string why, string code = "request_timeout") => new(StatusCodes.Status504GatewayTimeout, $"No completion in time: {why}.", "server_error", null, code);

    /// <summary>Whether any client can read a text as JSON.</summary>
    public static bool IsJson(ReadOnlySpan<byte> text) => LenientJson.IsStrict(text, MaxDepth);

    /// <summary>
    /// The status that a body goes out with: the provider's where HTTP has it and allows a body beside it. Some providers and proxies make
    /// up others, such as 999, which clients refuse; a completion then is a 200.
    /// </summary>
    private static int Status(JobResult result) => (result.Status, result.Meta.StatusCode) switch
    {
        (ResultStatus.Completed, >= 200 and < 300 and not (204 or 205) and var status) => status,
        (ResultStatus.Completed, _) => StatusCodes.Status200OK,
        (_, >= 400 and < 600 and var status) => status,
        _ => StatusCodes.Status502BadGateway,
    };
}
