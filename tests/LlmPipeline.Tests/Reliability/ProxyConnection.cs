using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace LlmPipeline;

/// <summary>One connection through the proxy. Whatever ends one half ends the other.</summary>
internal sealed class ProxyConnection(TcpProxy proxy, Socket client)
{
    private readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly ConcurrentQueue<string> _calls = new();
    private bool _resp3;
    private volatile bool _unmatched;

    /// <summary>Carries it until one side ends or it is broken.</summary>
    public async Task RunAsync(int target, CancellationToken cancellationToken)
    {
        try
        {
            client.NoDelay = true;
            await _server.ConnectAsync(new IPEndPoint(IPAddress.Loopback, target), cancellationToken);
            await await Task.WhenAny(PassCallsAsync(cancellationToken), PassAnswersAsync(cancellationToken));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One side is gone: so is the other.
        }
        finally
        {
            Break();
        }
    }

    /// <summary>Breaks both halves with a reset.</summary>
    public void Break()
    {
        Reset(client);
        Reset(_server);
    }

    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }

        socket.Dispose();
    }

    private Task PassCallsAsync(CancellationToken cancellationToken) => ReadAsync(client, async call =>
    {
        var (verb, argument) = Resp.VerbOf(call.Span);
        proxy.Saw(verb);
        await proxy.ThawedAsync(cancellationToken);
        if (proxy.OnCall?.Invoke(new ProxyCall(verb)) == false)
            return false;
        if (verb == "HELLO")
            _resp3 |= argument == "3";
        // These answer by push messages; in the older protocol, messages cannot be told from answers.
        if (verb is "SUBSCRIBE" or "UNSUBSCRIBE" or "PSUBSCRIBE" or "PUNSUBSCRIBE")
            _unmatched |= !_resp3;
        else
            _calls.Enqueue(verb);
        if (proxy.BytesPerSecond is { } most)
            await Task.Delay(TimeSpan.FromSeconds((double)call.Length / most), cancellationToken);
        await SendAsync(_server, call);
        return true;
    });

    private async Task PassAnswersAsync(CancellationToken cancellationToken)
    {
        var due = Channel.CreateUnbounded<(byte[] Bytes, long At)>();
        var sending = SendWhenDueAsync(due.Reader, cancellationToken);
        var reading = ReadAsync(_server, async answer =>
        {
            await proxy.ThawedAsync(cancellationToken);
            if (!_unmatched && answer.Span[0] != '>' && _calls.TryDequeue(out var verb) && proxy.OnAnswer?.Invoke(new ProxyCall(verb, answer.Length)) == false)
                return false;
            if (Resp.ChannelOf(answer.Span) is { } channel && proxy.OnMessage?.Invoke(channel) == false)
                return true;
            due.Writer.TryWrite((answer.ToArray(), TimeProvider.System.GetTimestamp()));
            return true;
        });
        await await Task.WhenAny(sending, reading);
    }

    private async Task SendWhenDueAsync(ChannelReader<(byte[] Bytes, long At)> due, CancellationToken cancellationToken)
    {
        await foreach (var (bytes, at) in due.ReadAllAsync(cancellationToken))
        {
            var wait = proxy.Latency - TimeProvider.System.GetElapsedTime(at);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, cancellationToken);
            await SendAsync(client, bytes);
        }
    }

    /// <summary>Hands on one value of the protocol after the other, until <paramref name="pass"/> answers false.</summary>
    private static async Task ReadAsync(Socket socket, Func<ReadOnlyMemory<byte>, Task<bool>> pass)
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        while (true)
        {
            if (filled == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled));
            if (read == 0)
                return;
            filled += read;
            var start = 0;
            for (int length; start < filled && (length = Resp.LengthOf(buffer.AsSpan(start, filled - start))) > 0; start += length)
            {
                if (!await pass(buffer.AsMemory(start, length)))
                    return;
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
        }
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes)..];
    }
}
