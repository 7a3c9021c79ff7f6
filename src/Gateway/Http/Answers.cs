using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Writes answers.</summary>
internal static class Answers
{
    /// <summary>Answers a JSON object.</summary>
    public static Task WriteJsonAsync<T>(this HttpContext context, T body, JsonTypeInfo<T> type, int status = 200) =>
        context.WriteJsonAsync(JsonSerializer.SerializeToUtf8Bytes(body, type), status);

    /// <summary>Answers JSON.</summary>
    public static async Task WriteJsonAsync(this HttpContext context, ReadOnlyMemory<byte> bytes, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    /// <summary>Answers an error; nothing may have been answered before.</summary>
    public static Task WriteErrorAsync(this HttpContext context, ApiError error)
    {
        context.Response.Clear();
        if (error.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return context.WriteJsonAsync(new ErrorBody(new ErrorFields(error.Message, error.Type, error.Param, error.Code)), GatewayJson.Wire.ErrorBody, error.Status);
    }
}
