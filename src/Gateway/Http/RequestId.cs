using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmPipeline;

/// <summary>
/// The <c>x-request-id</c> of a response, as OpenAI sends it with each: the gateway's own, and the provider's instead where it is known
/// before the first byte, so not of a stream. <see href="https://platform.openai.com/docs/api-reference/debugging-requests"/>.
/// </summary>
/// <param name="Unique">32 hex digits, by which the job of a synchronous call is named too.</param>
internal sealed record RequestId(string Unique)
{
    private const string Header = "x-request-id";

    /// <summary>The provider's id of its answer; null where none is passed on.</summary>
    public string? OfProvider { get; set; }

    /// <summary>Names a request. The header is set as late as possible: an error clears what was set before.</summary>
    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var id = new RequestId(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        context.Features.Set(id);
        context.Response.OnStarting(() =>
        {
            context.Response.Headers[Header] = id.OfProvider ?? "req_" + id.Unique;
            return Task.CompletedTask;
        });
        return next(context);
    }

    /// <summary>The id of a request.</summary>
    public static RequestId Of(HttpContext context) => context.Features.GetRequiredFeature<RequestId>();
}
