using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary>An https endpoint that does with each connection what the test says, and answers calls with a completion.</summary>
internal sealed class TlsEndpoint : IAsyncDisposable
{
    private readonly Func<int, X509Certificate2?> _certificate;
    private readonly Func<X509Certificate?, bool>? _accepts;
    private readonly RawListener _listener;
    private int _count;

    /// <param name="certificate">The n-th connection, from 1 → its certificate; null to close it in the middle of the handshake.</param>
    /// <param name="accepts">Whether it takes a client by the certificate that it shows; null to ask for none.</param>
    public TlsEndpoint(Func<int, X509Certificate2?> certificate, Func<X509Certificate?, bool>? accepts = null)
    {
        (_certificate, _accepts) = (certificate, accepts);
        _listener = new RawListener(ServeAsync);
    }

    /// <summary>Of the name that certificates are for.</summary>
    public string Url => $"https://localhost:{_listener.Port}/v1";

    /// <summary>Connections so far.</summary>
    public int Connections => Volatile.Read(ref _count);

    public ValueTask DisposeAsync() => _listener.DisposeAsync();

    private async Task ServeAsync(TcpClient client, CancellationToken stop)
    {
        var certificate = _certificate(Interlocked.Increment(ref _count));
        if (certificate is null)
        {
            _ = await client.GetStream().ReadAsync(new byte[1], stop);
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
            stop);
        // One call a connection, so that the next one makes its own.
        var request = (await RawListener.ReadHeadAsync(stream, stop)).Split("\r\n");
        var length = request.FirstOrDefault(line => line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase));
        await stream.ReadExactlyAsync(new byte[length is null ? 0 : int.Parse(length.Split(' ')[1], CultureInfo.InvariantCulture)], stop);
        var body = Encoding.UTF8.GetBytes(RawReply.Completion);
        var head = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head).Concat(body).ToArray(), stop);
        await stream.ShutdownAsync();
    }
}
