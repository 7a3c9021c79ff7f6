using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// One plain connection to one server, beside those of StackExchange.Redis: for what that hides, such as the answer to a SELECT or why a
/// connection is closed, and for MULTI, inside which a server says whether a user may run a command without running it.
/// </summary>
internal sealed class RedisProbe : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly byte[] _buffer = new byte[4096];
    private int _at;
    private int _length;

    private RedisProbe(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
    }

    /// <summary>Connects, and shakes hands with <paramref name="tls"/>.</summary>
    /// <exception cref="SocketException">Nothing listens there.</exception>
    /// <exception cref="IOException">The connection ends during the handshake.</exception>
    /// <exception cref="System.Security.Authentication.AuthenticationException">The handshake fails, or the certificate is
    /// refused.</exception>
    public static async Task<RedisProbe> OpenAsync(
        EndPoint server, bool tls, ConfigurationOptions options, CancellationToken cancellationToken)
    {
        var address = server switch
        {
            DnsEndPoint { Port: 0 } dns => new DnsEndPoint(dns.Host, DefaultPort(tls)),
            IPEndPoint { Port: 0 } ip => new IPEndPoint(ip.Address, DefaultPort(tls)),
            _ => server,
        };
        var socket = address is UnixDomainSocketEndPoint ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : address is IPEndPoint { AddressFamily: var family } ? new Socket(family, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address, cancellationToken).ConfigureAwait(false);
            Stream stream = new NetworkStream(socket);
            if (tls)
            {
                var secure = new SslStream(stream);
                await secure.AuthenticateAsClientAsync(RedisTls.Of(options, address), cancellationToken).ConfigureAwait(false);
                stream = secure;
            }

            return new RedisProbe(socket, stream);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Says who it is, as the address has it.</summary>
    /// <returns>Null when the server accepts it, else its error.</returns>
    public async Task<string?> AuthenticateAsync(ConfigurationOptions options, CancellationToken cancellationToken)
    {
        if (options.Password is not { Length: > 0 } password)
            return null;
        var answer = options.User is { Length: > 0 } user
            ? await AskAsync(cancellationToken, "AUTH", user, password).ConfigureAwait(false)
            : await AskAsync(cancellationToken, "AUTH", password).ConfigureAwait(false);
        return answer.StartsWith('-') ? answer[1..] : null;
    }

    /// <summary>Sends a command.</summary>
    /// <returns>Its answer as text; an error begins with a dash.</returns>
    /// <exception cref="IOException">The connection is closed, or what came is no Redis protocol.</exception>
    public async Task<string> AskAsync(CancellationToken cancellationToken, params string[] words) =>
        (await AskAllAsync([words], cancellationToken).ConfigureAwait(false))[0];

    /// <summary>Sends commands, all before the first answer.</summary>
    /// <returns>Their answers, as of one.</returns>
    /// <exception cref="IOException">As for one.</exception>
    public async Task<IReadOnlyList<string>> AskAllAsync(IReadOnlyList<string[]> commands, CancellationToken cancellationToken)
    {
        var request = new StringBuilder();
        foreach (var words in commands)
        {
            request.Append(CultureInfo.InvariantCulture, $"*{words.Length}\r\n");
            foreach (var word in words)
                request.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        await _stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()), cancellationToken).ConfigureAwait(false);
        var answers = new string[commands.Count];
        for (var n = 0; n < answers.Length; n++)
            answers[n] = await ReadAsync(cancellationToken).ConfigureAwait(false);
        return answers;
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync().ConfigureAwait(false);
        _socket.Dispose();
    }

    private static int DefaultPort(bool tls) => tls ? 6380 : 6379;

    private async Task<string> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await LineAsync(cancellationToken).ConfigureAwait(false);
        switch (line.Length == 0 ? ' ' : line[0])
        {
            case '+' or ':':
                return line[1..];
            case '-':
                return line;
            case '$':
                return await BulkAsync(Count(line), cancellationToken).ConfigureAwait(false);
            case '*':
                var parts = new List<string>();
                for (var left = Count(line); left > 0; left--)
                    parts.Add(await ReadAsync(cancellationToken).ConfigureAwait(false));
                return string.Join('\n', parts);
            default:
                throw new IOException("no Redis protocol");
        }
    }

    private static int Count(string line) =>
        int.TryParse(line.AsSpan(1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count)
            ? count
            : throw new IOException("no Redis protocol");

    private async Task<string> BulkAsync(int length, CancellationToken cancellationToken)
    {
        if (length < 0)
            return "";
        var text = new byte[length];
        for (var n = 0; n < length; n++)
            text[n] = await NextAsync(cancellationToken).ConfigureAwait(false);
        await LineAsync(cancellationToken).ConfigureAwait(false);
        return Encoding.UTF8.GetString(text);
    }

    private async ValueTask<string> LineAsync(CancellationToken cancellationToken)
    {
        var line = new List<byte>();
        while (await NextAsync(cancellationToken).ConfigureAwait(false) is not (byte)'\n' and var next)
        {
            line.Add(next);
            if (line.Count > 64 * 1024)
                throw new IOException("no Redis protocol");
        }

        return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
    }

    private async ValueTask<byte> NextAsync(CancellationToken cancellationToken)
    {
        if (_at == _length)
        {
            (_at, _length) = (0, await _stream.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false));
            if (_length == 0)
                throw new EndOfStreamException("the connection was closed");
        }

        return _buffer[_at++];
    }
}
