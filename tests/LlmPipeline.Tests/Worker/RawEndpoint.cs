using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary>What a <see cref="RawEndpoint"/> got, byte for byte.</summary>
internal sealed record RawRequest(string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>What it answers. A cut announces more bytes than it sends.</summary>
internal sealed record RawReply(int Status, string Body, params string[] Headers)
{
    public const string Completion =
        """{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"four"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":3}}}""";

    public static RawReply Ok { get; } = new(200, Completion, "x-request-id: req-1");

    /// <summary>A body that is no text; null for <see cref="Body"/>.</summary>
    public byte[]? Bytes { get; init; }

    public bool IsReset { get; init; }

    public bool IsCut { get; init; }

    public bool IsSilent { get; init; }

    /// <summary>How long it takes.</summary>
    public TimeSpan Latency { get; init; }
}

/// <summary>An HTTP endpoint on a bare socket, so that a test sees and sends the very bytes.</summary>
internal sealed class RawEndpoint : IAsyncDisposable
{
    private readonly Func<RawRequest, int, RawReply> _reply;
    private readonly RawListener _listener;
    private int _count;
    private long _sent;

    /// <param name="reply">Answers the n-th request, from 1.</param>
    public RawEndpoint(Func<RawRequest, int, RawReply> reply)
    {
        _reply = reply;
        _listener = new RawListener(ServeAsync);
    }

    public string Url => $"http://127.0.0.1:{_listener.Port}";

    public ConcurrentQueue<RawRequest> Requests { get; } = new();

    /// <summary>The bytes that the sockets have taken.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    public ValueTask DisposeAsync() => _listener.DisposeAsync();

    private async Task ServeAsync(TcpClient client, CancellationToken stop)
    {
        var stream = client.GetStream();
        while (await ReadAsync(stream, stop) is { } request)
        {
            Requests.Enqueue(request);
            var reply = _reply(request, Interlocked.Increment(ref _count));
            if (reply.Latency > TimeSpan.Zero)
                await Task.Delay(reply.Latency, stop);
            if (reply.IsSilent)
                await Task.Delay(Timeout.Infinite, stop);
            if (reply.IsReset)
            {
                client.Client.LingerState = new LingerOption(true, 0);
                return;
            }

            var body = reply.Bytes ?? Encoding.UTF8.GetBytes(reply.Body);
            var type = reply.Headers.Any(h => h.StartsWith("content-type", StringComparison.OrdinalIgnoreCase))
                ? ""
                : "Content-Type: application/json\r\n";
            var head = $"HTTP/1.1 {reply.Status} X\r\n{type}Content-Length: {body.Length + (reply.IsCut ? 10 : 0)}\r\n"
                + $"{string.Concat(reply.Headers.Select(h => h + "\r\n"))}\r\n";
            foreach (var piece in Encoding.UTF8.GetBytes(head).Concat(body).Chunk(64 * 1024))
            {
                await stream.WriteAsync(piece, stop);
                Interlocked.Add(ref _sent, piece.Length);
            }

            if (reply.IsCut)
                return;
        }
    }

    private static async Task<RawRequest?> ReadAsync(NetworkStream stream, CancellationToken stop)
    {
        var head = await RawListener.ReadHeadAsync(stream, stop);
        if (head.Length == 0)
            return null;
        var lines = head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2))
            .ToDictionary(pair => pair[0], pair => pair.ElementAtOrDefault(1) ?? "", StringComparer.OrdinalIgnoreCase);
        if (headers.ContainsKey("Transfer-Encoding"))
            throw new InvalidOperationException("This endpoint reads no chunks.");
        var length = headers.TryGetValue("Content-Length", out var text) ? int.Parse(text, CultureInfo.InvariantCulture) : 0;
        var body = new byte[length];
        await stream.ReadExactlyAsync(body, stop);
        return new RawRequest(lines[0].Split(' ')[1], headers, body);
    }
}
