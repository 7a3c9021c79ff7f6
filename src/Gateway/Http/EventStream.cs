using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Answers server-sent events, each sent on at once. The answer begins with the first.</summary>
/// <remarks><see href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>.</remarks>
internal sealed class EventStream(HttpContext context)
{
    /// <summary>Whether anything was sent.</summary>
    public bool HasStarted { get; private set; }

    /// <summary>Sends an event.</summary>
    /// <param name="name">Its name; null for none.</param>
    /// <param name="data">Its data, of any number of lines.</param>
    public Task SendAsync(string? name, string data)
    {
        var text = new StringBuilder(data.Length + 64);
        if (name is not null)
            text.Append("event: ").Append(name).Append('\n');
        foreach (var line in data.AsSpan().EnumerateLines())
            text.Append("data: ").Append(line).Append('\n');
        return WriteAsync(text.Append('\n').ToString());
    }

    /// <summary>Sends what clients pass over: it keeps proxies from closing a connection that is silent.</summary>
    public Task SendNothingAsync() => WriteAsync(":\n\n");

    private async Task WriteAsync(string text)
    {
        if (!HasStarted)
        {
            HasStarted = true;
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-cache";
            context.Response.Headers["X-Accel-Buffering"] = "no";
        }

        await context.Response.WriteAsync(text, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }
}
