using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary><c>/openapi.json</c>: what the gateway serves, for programs.</summary>
internal static class OpenApiEndpoint
{
    public const string Path = "/openapi.json";

    /// <summary>The document, UTF-8 JSON.</summary>
    public static byte[] Document { get; } = Load();

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet(Path, context => context.WriteJsonAsync(Document, StatusCodes.Status200OK));

    private static byte[] Load()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("openapi.json")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
