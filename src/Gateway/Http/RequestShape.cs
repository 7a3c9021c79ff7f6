using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Brings requests that clients send in several ways into the one that routes know; runs before routing.</summary>
internal static class RequestShape
{
    private const string Deployments = "/openai/deployments/";
    private const string EncodedSlash = "%2F";

    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        // RFC 9110, 9.3.2: HEAD is answered as GET is. The server sends no body of what it received as HEAD.
        if (HttpMethods.IsHead(request.Method))
            request.Method = HttpMethods.Get;
        if (request.Path.Value is { } path && OneSegment(path) is { } named)
            request.Path = named;
        return next(context);
    }

    /// <summary>A value of a path's segment. Kestrel decodes all but the slash.</summary>
    public static string? Segment(HttpContext context, string name) =>
        (context.Request.RouteValues[name] as string)?.Replace(EncodedSlash, "/", StringComparison.OrdinalIgnoreCase);

    // Some clients put a deployment's name into the path as it is, and models such as org/model have a slash in it.
    private static string? OneSegment(string path)
    {
        if (!path.StartsWith(Deployments, StringComparison.OrdinalIgnoreCase))
            return null;
        var call = CallEndpoints.Paths.Where(call => path.EndsWith(call, StringComparison.OrdinalIgnoreCase)).MaxBy(call => call.Length);
        if (call is null || path.Length - call.Length <= Deployments.Length)
            return null;
        var name = path[Deployments.Length..^call.Length];
        return name.Contains('/') ? Deployments + name.Replace("/", EncodedSlash, StringComparison.Ordinal) + call : null;
    }
}
