using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Writes answers.</summary>
internal static class Answers
{
    private const int SliceBytes = 64 * 1024;

    /// <summary>Answers a JSON object.</summary>
    public static Task WriteJsonAsync<T>(this HttpContext context, T body, JsonTypeInfo<T> type, int status = 200) =>
        context.WriteJsonAsync(JsonSerializer.SerializeToUtf8Bytes(body, type), status);

    /// <summary>Answers JSON.</summary>
    public static Task WriteJsonAsync(this HttpContext context, ReadOnlyMemory<byte> bytes, int status) =>
        context.WriteJsonAsync([bytes], status);

    /// <summary>Answers JSON that lies in parts.</summary>
    public static async Task WriteJsonAsync(this HttpContext context, IReadOnlyList<ReadOnlyMemory<byte>> parts, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = parts.Sum(part => (long)part.Length);
        foreach (var part in parts)
            await context.WriteBytesAsync(part);
    }

    /// <summary>Writes bytes as fast as the client takes them: in one piece Kestrel would copy all of them first.</summary>
    public static async Task WriteBytesAsync(this HttpContext context, ReadOnlyMemory<byte> bytes)
    {
        for (var at = 0; at < bytes.Length; at += SliceBytes)
            await context.Response.Body.WriteAsync(bytes[at..Math.Min(at + SliceBytes, bytes.Length)], context.RequestAborted);
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
