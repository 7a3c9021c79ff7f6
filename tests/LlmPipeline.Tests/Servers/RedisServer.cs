using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LlmPipeline;

/// <summary>A redis-server of its own on a free loopback port, with its files in a temporary folder. Killed at the end of the tests at the latest.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private static readonly Lazy<Task<RedisServer>> OfTheTests = new(() => StartAsync());
    private readonly string _folder = Directory.CreateTempSubdirectory("llmpipe-redis-").FullName;
    private readonly string[] _options;
    private readonly SteppedClock? _clock;
    private Process? _process;
    private Task _drained = Task.CompletedTask;

    private RedisServer(int port, string[] options, SteppedClock? clock)
    {
        _clock = clock;
        Port = port;
        _options = options;
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            End();
            _process?.WaitForExit(1000);
            if (Directory.Exists(_folder))
                Directory.Delete(_folder, recursive: true);
        };
    }

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Where its files are.</summary>
    public string Folder => _folder;

    /// <summary>The one that all tests share which don't hurt it.</summary>
    public static Task<RedisServer> SharedAsync() => OfTheTests.Value;

    /// <summary>Starts one; it keeps nothing on disk unless <paramref name="options"/> say so.</summary>
    /// <param name="options">Of redis-server, such as <c>--appendonly yes --appendfsync always</c>, each word by itself.</param>
    public static Task<RedisServer> StartAsync(params string[] options) => StartAsync(() => options);

    /// <summary>The same with options that name ports: asked for anew when somebody else has taken one in between.</summary>
    /// <param name="options">See there.</param>
    /// <param name="clock">Its clock; null for the machine's.</param>
    public static async Task<RedisServer> StartAsync(Func<string[]> options, SteppedClock? clock = null)
    {
        for (var attempt = 1; ; attempt++)
        {
            var server = new RedisServer(FreePort(), options(), clock);
            try
            {
                await server.RestartAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 5)
            {
                // Somebody else took the port in between.
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>Starts it again on its port and on its files, after <see cref="KillAsync"/>.</summary>
    public async Task RestartAsync()
    {
        var start = new ProcessStartInfo("redis-server") { RedirectStandardOutput = true, WorkingDirectory = _folder };
        foreach (var word in (string[])["--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _folder, "--save", "", "--appendonly", "no", .. _options])
            start.ArgumentList.Add(word);
        _clock?.Set(start.Environment);
        try
        {
            _process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new FileNotFoundException("these tests need the program redis-server, and it is not installed (Debian: apt-get install redis-server)", "redis-server", e);
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var log = new List<string>();
        while (await _process.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            log.Add(line);
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
            {
                // Whatever else it says must not fill the pipe.
                _drained = _process.StandardOutput.ReadToEndAsync(CancellationToken.None);
                return;
            }
        }

        throw new InvalidOperationException("redis-server did not start: " + string.Join('\n', log));
    }

    /// <summary>Ends it as <c>kill -9</c> does.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        End();
        await process.WaitForExitAsync();
        await _drained;
    }

    /// <summary>Stops it in the middle of whatever it does.</summary>
    public void Freeze() => _process!.Freeze();

    /// <summary>Lets it go on.</summary>
    public void Thaw() => _process!.Thaw();

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private void End()
    {
        if (_process is { HasExited: false })
            _process.Kill();
    }
}
