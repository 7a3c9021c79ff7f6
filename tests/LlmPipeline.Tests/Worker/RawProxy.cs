using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary>
/// A forward proxy on a bare socket: it answers what the test says, or forwards to an endpoint of the test, whatever host was asked for.
/// </summary>
internal sealed class RawProxy : IAsyncDisposable
{
    private readonly Func<string, string?> _answer;
    private readonly int? _forwardTo;
    private readonly RawListener _listener;

    /// <param name="answer">The head of a request → the whole answer; null to hang up.</param>
    public RawProxy(Func<string, string?> answer)
        : this(answer, null)
    {
    }

    /// <param name="forwardTo">The port on this machine that every call and tunnel goes to.</param>
    public RawProxy(int forwardTo)
        : this(_ => null, forwardTo)
    {
    }

    private RawProxy(Func<string, string?> answer, int? forwardTo)
    {
        _answer = answer;
        _forwardTo = forwardTo;
        _listener = new RawListener(ServeAsync);
    }

    public int Port => _listener.Port;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>The heads of the connections' first requests.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>An answer without a body.</summary>
    public static string Answer(int status, params string[] headers) =>
        $"HTTP/1.1 {status} X\r\n{string.Concat(headers.Select(header => header + "\r\n"))}Content-Length: 0\r\n\r\n";

    public ValueTask DisposeAsync() => _listener.DisposeAsync();

    private async Task ServeAsync(TcpClient client, CancellationToken stop)
    {
        var stream = client.GetStream();
        var head = await RawListener.ReadHeadAsync(stream, stop);
        if (head.Length == 0)
            return;
        Requests.Enqueue(head);
        if (_forwardTo is { } port)
        {
            await ForwardAsync(stream, head, port, stop);
        }
        else if (_answer(head) is { } answer)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop);
            // A close with unread bytes would be a reset, and the answer gone with it.
            client.Client.Shutdown(SocketShutdown.Send);
            await stream.CopyToAsync(Stream.Null, stop);
        }
    }

    private static async Task ForwardAsync(NetworkStream stream, string head, int port, CancellationToken stop)
    {
        using var endpoint = new TcpClient();
        await endpoint.ConnectAsync(IPAddress.Loopback, port, stop);
        var target = endpoint.GetStream();
        if (head.StartsWith("CONNECT ", StringComparison.Ordinal))
            await stream.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), stop);
        else
            await target.WriteAsync(Encoding.ASCII.GetBytes(head), stop);
        await Task.WhenAny(stream.CopyToAsync(target, stop), target.CopyToAsync(stream, stop));
    }
}
