using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary>An https endpoint that does with each connection what the test says, and answers calls with a completion.</summary>
internal sealed class TlsEndpoint : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Func<int, X509Certificate2?> _certificate;
    private readonly Func<X509Certificate?, bool>? _accepts;
    private readonly Task _accepting;
    private int _count;

    /// <param name="certificate">The n-th connection, from 1 → its certificate; null to close it in the middle of the handshake.</param>
    /// <param name="accepts">Whether it takes a client by the certificate that it shows; null to ask for none.</param>
    public TlsEndpoint(Func<int, X509Certificate2?> certificate, Func<X509Certificate?, bool>? accepts = null)
    {
        (_certificate, _accepts) = (certificate, accepts);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Of the name that certificates are for.</summary>
    public string Url => $"https://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";

    /// <summary>Connections so far.</summary>
    public int Connections => Volatile.Read(ref _count);

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
                var certificate = _certificate(Interlocked.Increment(ref _count));
                if (certificate is null)
                {
                    _ = await client.GetStream().ReadAsync(new byte[1], _stop.Token);
                    return;
                }

                await using var stream = new SslStream(client.GetStream());
                await stream.AuthenticateAsServerAsync(
                    new SslServerAuthenticationOptions
                    {
                        ServerCertificate = certificate,
                        ClientCertificateRequired = _accepts is not null,
                        RemoteCertificateValidationCallback = (_, shown, _, _) => _accepts?.Invoke(shown) ?? true,
                    },
                    _stop.Token);
                // One call a connection, so that the next one makes its own.
                await ReadRequestAsync(stream);
                var body = Encoding.UTF8.GetBytes(RawReply.Completion);
                var head = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes(head).Concat(body).ToArray(), _stop.Token);
                await stream.ShutdownAsync();
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or AuthenticationException)
            {
                // The other side went away or refused, or the test is over.
            }
        }
    }

    private async Task ReadRequestAsync(SslStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, _stop.Token) > 0)
            head.Append((char)one[0]);
        var length = head.ToString().Split("\r\n").FirstOrDefault(line => line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase));
        await stream.ReadExactlyAsync(new byte[length is null ? 0 : int.Parse(length.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture)], _stop.Token);
    }
}
