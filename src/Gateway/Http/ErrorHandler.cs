using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Makes every failure of a call an answer in OpenAI's error shape.</summary>
internal sealed partial class ErrorHandler(ILogger<ErrorHandler> logger)
{
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            // What routing itself answers has no body: an unknown path, a wrong verb.
            if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentLength: null })
                await context.WriteErrorAsync(ApiError.Of(context.Response.StatusCode, $"There is no {context.Request.Method} {context.Request.Path}."));
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException or ApiException)
        {
            // Nobody listens any more.
        }
        catch (Exception e)
        {
            var error = Of(e);
            if (error.Status == 500)
                LogUnexpected(e, context.Request.Method, context.GetEndpoint()?.DisplayName ?? "an unknown path");
            if (context.Response.HasStarted)
                context.Abort();
            else
                await context.WriteErrorAsync(error);
        }
    }

    private static ApiError Of(Exception e) => e switch
    {
        ApiException known => known.Error,
        QueueLimitException => ApiError.TooManyModels(),
        QueueFullException full => ApiError.TooMany(full.Message, TimeSpan.FromSeconds(5)),
        BadHttpRequestException bad => ApiError.Of(bad.StatusCode, bad.Message),
        _ when RedisRetry.MayPass(e) => ApiError.Away("Redis does not answer now; try again."),
        RedisException => ApiError.Internal(),
        IOException { HResult: DiskFull } or IOException { HResult: DiskFullWindows } => new ApiError(507, "The disk of the gateway is full.", "server_error", null, "disk_full"),
        _ => ApiError.Internal(),
    };

    // ENOSPC, and ERROR_DISK_FULL as an HRESULT.
    private const int DiskFull = 28, DiskFullWindows = unchecked((int)0x80070070);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Endpoint} met an error that should not happen")]
    private partial void LogUnexpected(Exception exception, string method, string endpoint);
}
