using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Three pages of a process that serves nothing else: <c>/metrics</c> for Prometheus, <c>/health</c> (the process lives) and <c>/ready</c> (it can work; else
/// 503 and why). Without keys: it tells counts and names, never prompts or secrets.
/// </summary>
public sealed class MonitoringServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private MonitoringServer(WebApplication app) => _app = app;

    /// <summary>Where it listens: <c>http://HOST:PORT</c>.</summary>
    public string Address => _app.Urls.First();

    /// <summary>Listens.</summary>
    /// <param name="endpoint">HOST:PORT; port 0 takes a free one.</param>
    /// <param name="role">What the process is: <c>work</c>.</param>
    /// <param name="fault">Why it cannot work just now; null when it can.</param>
    /// <param name="loggers">Where Kestrel logs.</param>
    /// <exception cref="FormatException"><paramref name="endpoint"/> is not HOST:PORT.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<MonitoringServer> StartAsync(string endpoint, string role, Func<CancellationToken, Task<string?>> fault, ILoggerFactory loggers)
    {
        if (!Uri.TryCreate($"http://{endpoint}", UriKind.Absolute, out var url) || url.PathAndQuery != "/" || !endpoint.Contains(':', StringComparison.Ordinal))
            throw new FormatException($"{endpoint}: HOST:PORT is needed, such as 0.0.0.0:9464");
        // Nothing is taken from the working directory or from ASPNETCORE_….
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "llmpipe" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls(url.AbsoluteUri);
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, NoLifetime>());
        builder.Services.Replace(ServiceDescriptor.Singleton(loggers));
        builder.Services.AddMonitoring(role);
        var app = builder.Build();
        app.UseMetrics();
        app.Run(context => AnswerAsync(context, fault));
        try
        {
            await app.StartAsync().ConfigureAwait(false);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return new MonitoringServer(app);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync().ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task AnswerAsync(HttpContext context, Func<CancellationToken, Task<string?>> fault)
    {
        var reason = context.Request.Path.Value switch
        {
            "/health" => null,
            "/ready" => await fault(context.RequestAborted).ConfigureAwait(false),
            _ => "not found: there are /metrics, /health and /ready",
        };
        context.Response.StatusCode = reason is null ? StatusCodes.Status200OK : context.Request.Path == "/ready" ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status404NotFound;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(reason ?? "ok").ConfigureAwait(false);
    }
}
