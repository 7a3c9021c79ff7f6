using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary>A forward proxy on a bare socket: it answers what the test says, or forwards to an endpoint of the test, whatever host was asked for.</summary>
internal sealed class RawProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<string, string?> _answer;
    private readonly int? _forwardTo;
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Task _accepting;

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
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>The heads of the connections' first requests.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>An answer without a body.</summary>
    public static string Answer(int status, params string[] headers) =>
        $"HTTP/1.1 {status} X\r\n{string.Concat(headers.Select(header => header + "\r\n"))}Content-Length: 0\r\n\r\n";

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
                var head = await ReadHeadAsync(stream);
                if (head.Length == 0)
                    return;
                Requests.Enqueue(head);
                if (_forwardTo is { } port)
                {
                    await ForwardAsync(stream, head, port);
                }
                else if (_answer(head) is { } answer)
                {
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), _stop.Token);
                    // A close with unread bytes would be a reset, and the answer gone with it.
                    client.Client.Shutdown(SocketShutdown.Send);
                    await stream.CopyToAsync(Stream.Null, _stop.Token);
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
            {
                // The other side went away, or the test is over.
            }
        }
    }

    private async Task ForwardAsync(NetworkStream stream, string head, int port)
    {
        using var endpoint = new TcpClient();
        await endpoint.ConnectAsync(IPAddress.Loopback, port, _stop.Token);
        var target = endpoint.GetStream();
        if (head.StartsWith("CONNECT ", StringComparison.Ordinal))
            await stream.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), _stop.Token);
        else
            await target.WriteAsync(Encoding.ASCII.GetBytes(head), _stop.Token);
        await Task.WhenAny(stream.CopyToAsync(target, _stop.Token), target.CopyToAsync(stream, _stop.Token));
    }

    private async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!(head.Length >= 4 && head.ToString(head.Length - 4, 4) == "\r\n\r\n"))
        {
            if (await stream.ReadAsync(one, _stop.Token) == 0)
                return "";
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}
