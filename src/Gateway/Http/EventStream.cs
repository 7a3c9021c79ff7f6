using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Answers server-sent events, each sent on at once. The answer begins with the first.</summary>
/// <remarks><see href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>.</remarks>
internal sealed class EventStream(HttpContext context)
{
    // The longest name of OpenAI's own has some 50 characters.
    private const int MaxName = 128;
    private static readonly ReadOnlyMemory<byte> NextLine = "\ndata: "u8.ToArray(), End = "\n\n"u8.ToArray();

    /// <summary>Whether anything was sent.</summary>
    public bool HasStarted { get; private set; }

    /// <summary>Sends an event.</summary>
    /// <param name="name">Its name; null for none.</param>
    /// <param name="data">Its data, of any number of lines.</param>
    public Task SendAsync(string? name, string data) => WriteAsync(Text(name, data));

    /// <summary>Sends an event whose data lie in parts, which are not copied.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="data">Its data, UTF-8 of any number of lines.</param>
    public async Task SendAsync(string name, IReadOnlyList<ReadOnlyMemory<byte>> data)
    {
        Begin();
        await context.Response.WriteAsync($"event: {name}\ndata: ", context.RequestAborted);
        foreach (var part in data)
        {
            for (var rest = part; ;)
            {
                var end = rest.Span.IndexOfAny((byte)'\r', (byte)'\n');
                await context.WriteBytesAsync(end < 0 ? rest : rest[..end]);
                if (end < 0)
                    break;
                await context.WriteBytesAsync(NextLine);
                rest = rest[(end + (rest.Span[end..].StartsWith("\r\n"u8) ? 2 : 1))..];
            }
        }

        await context.WriteBytesAsync(End);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

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

    private void Begin()
    {
        if (HasStarted)
            return;
        HasStarted = true;
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.Headers["X-Accel-Buffering"] = "no";
    }

    private async Task WriteAsync(string text)
    {
        Begin();
        await context.Response.WriteAsync(text, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }
}
