using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmPipeline;

/// <summary>Lets in who brings a key, and says whose call it is. Without keys: who is on this machine, and no page of a browser.</summary>
internal sealed class AccessGate(ApiKeys keys)
{
    /// <summary>Paths that need no key.</summary>
    public static readonly IReadOnlyList<string> Open = ["/health", "/ready", OpenApiEndpoint.Path];

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (Open.Contains(context.Request.Path.Value))
            return next(context);
        if (keys.IsOpen)
        {
            CheckLocal(context.Request);
            context.Features.Set(new Caller(ApiKeys.Nobody));
            return next(context);
        }

        var owner = KeyOf(context.Request) is { Length: > 0 } key ? keys.OwnerOf(key) : throw ApiError.NoKey().Thrown();
        context.Features.Set(new Caller(owner ?? throw ApiError.WrongKey().Thrown()));
        return next(context);
    }

    // A page in a browser of this machine reaches loopback too: by its own name (Origin), or by a name of its own that leads here (Host).
    private static void CheckLocal(HttpRequest request)
    {
        if (!IsLoopback(request.Host.Host))
            throw ApiError.Forbidden("a gateway without API keys serves this machine only: call it by localhost or 127.0.0.1").Thrown();
        if (request.Headers.Origin.ToString() is { Length: > 0 } origin && !(Uri.TryCreate(origin, UriKind.Absolute, out var page) && page.IsLoopback))
            throw ApiError.Forbidden("a gateway without API keys serves no pages of other sites").Thrown();
    }

    /// <summary>Whether a host's name is this machine's own.</summary>
    public static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    private static string? KeyOf(HttpRequest request)
    {
        var authorization = request.Headers.Authorization.ToString();
        return authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? authorization["Bearer ".Length..].Trim() : request.Headers["api-key"].ToString();
    }
}

/// <summary>Whose call it is.</summary>
internal sealed record Caller(string Owner);

/// <summary>Finds out whose call it is.</summary>
internal static class CallerOf
{
    /// <summary>The owner that the call's key is.</summary>
    public static string Owner(this HttpContext context) => context.Features.GetRequiredFeature<Caller>().Owner;
}
