using System.Collections.Concurrent;
using System.Net;
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
}

/// <summary>An HTTP endpoint on a bare socket, so that a test sees and sends the very bytes.</summary>
internal sealed class RawEndpoint : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<RawRequest, int, RawReply> _reply;
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Task _accepting;
    private int _count;

    /// <param name="reply">Answers the n-th request, from 1.</param>
    public RawEndpoint(Func<RawRequest, int, RawReply> reply)
    {
        _reply = reply;
        _listener.Start();
        Url = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _accepting = AcceptAsync();
    }

    public string Url { get; }

    public ConcurrentQueue<RawRequest> Requests { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                while (await ReadAsync(stream) is { } request)
                {
                    Requests.Enqueue(request);
                    var reply = _reply(request, Interlocked.Increment(ref _count));
                    if (reply.IsSilent)
                        await Task.Delay(Timeout.Infinite, _stop.Token);
                    if (reply.IsReset)
                    {
                        client.Client.LingerState = new LingerOption(true, 0);
                        return;
                    }
                    var body = reply.Bytes ?? Encoding.UTF8.GetBytes(reply.Body);
                    var type = reply.Headers.Any(h => h.StartsWith("content-type", StringComparison.OrdinalIgnoreCase)) ? "" : "Content-Type: application/json\r\n";
                    var head = $"HTTP/1.1 {reply.Status} X\r\n{type}Content-Length: {body.Length + (reply.IsCut ? 10 : 0)}\r\n{string.Concat(reply.Headers.Select(h => h + "\r\n"))}\r\n";
                    await stream.WriteAsync(Encoding.UTF8.GetBytes(head).Concat(body).ToArray(), _stop.Token);
                    if (reply.IsCut)
                        return;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
            {
                // The other side went away, or the test is over.
            }
        }
    }

    private async Task<RawRequest?> ReadAsync(NetworkStream stream)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (!(head.Count >= 4 && head[^4] == '\r' && head[^3] == '\n' && head[^2] == '\r' && head[^1] == '\n'))
        {
            if (await stream.ReadAsync(one, _stop.Token) == 0)
                return null;
            head.Add(one[0]);
        }
        var lines = Encoding.UTF8.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair.ElementAtOrDefault(1) ?? "", StringComparer.OrdinalIgnoreCase);
        byte[] body;
        if (headers.TryGetValue("Transfer-Encoding", out _))
        {
            throw new InvalidOperationException("This endpoint reads no chunks.");
        }
        body = new byte[headers.TryGetValue("Content-Length", out var length) ? int.Parse(length, System.Globalization.CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, _stop.Token);
        return new RawRequest(lines[0].Split(' ')[1], headers, body);
    }
}
