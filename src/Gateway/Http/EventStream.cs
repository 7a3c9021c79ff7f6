using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Answers server-sent events, each sent on at once. The answer begins with the first.</summary>
/// <remarks><see href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>.</remarks>
internal sealed class EventStream(HttpContext context)
{
    // The longest name of OpenAI's own has some 50 characters.
    private const int MaxName = 128;

    /// <summary>Whether anything was sent.</summary>
    public bool HasStarted { get; private set; }

    /// <summary>Sends an event.</summary>
    /// <param name="name">Its name; null for none.</param>
    /// <param name="data">Its data, of any number of lines.</param>
    public Task SendAsync(string? name, string data) => WriteAsync(Text(name, data));

    /// <summary>Sends what clients pass over: it keeps proxies from closing a connection that is silent.</summary>
    public Task SendNothingAsync() => WriteAsync(":\n\n");

    /// <summary>
    /// An event as it goes over the wire. Lines end at CR LF, LF and CR and nowhere else, as its reader takes them; the name may be a
    /// provider's word, and is one line.
    /// </summary>
    internal static string Text(string? name, string data)
    {
        var text = new StringBuilder(data.Length + 64);
        if (name is not null && SafeText.Line(name, MaxName) is { Length: > 0 } line)
            text.Append("event: ").Append(line).Append('\n');
        var rest = data.AsSpan();
        for (int end; (end = rest.IndexOfAny('\r', '\n')) >= 0; rest = rest[(end + (rest[end..].StartsWith("\r\n") ? 2 : 1))..])
            text.Append("data: ").Append(rest[..end]).Append('\n');
        return text.Append("data: ").Append(rest).Append("\n\n").ToString();
    }

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
