using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace LlmPipeline;

/// <summary>A call that passes the proxy.</summary>
/// <param name="Verb">The name of a script of ours, or a command in upper case.</param>
/// <param name="AnswerBytes">The length of its answer; 0 while there is none.</param>
internal sealed record ProxyCall(string Verb, int AnswerBytes = 0);

/// <summary>Stands between a client and a Redis, sees each call and its answer, and spoils what a test asks for.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly int _target;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<ProxyConnection, Task> _connections = new();
    private readonly ConcurrentDictionary<string, int> _seen = new();
    private readonly Task _accepting;
    private volatile TaskCompletionSource _thawed = Done();

    public TcpProxy(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => _listener.LocalEndpoint.ToString()!;

    /// <summary>Asked before a call goes on to the server; false: it does not, and its connection breaks.</summary>
    public Func<ProxyCall, bool>? OnCall { get; set; }

    /// <summary>Asked before an answer goes on to the client, when the server has done what was asked; false: it does not, and its connection breaks.</summary>
    public Func<ProxyCall, bool>? OnAnswer { get; set; }

    /// <summary>Asked before a message of a channel goes on to the client; false: it is lost, and nothing breaks.</summary>
    public Func<string, bool>? OnMessage { get; set; }

    /// <summary>How long an answer is on its way.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>How much of its calls a connection may send in a second; null for no limit.</summary>
    public int? BytesPerSecond { get; set; }

    /// <summary>How often a verb was called.</summary>
    public int Count(string verb) => _seen.GetValueOrDefault(verb);

    /// <summary>Loses the next answer of a verb; ends when that has happened.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="least">Only an answer of so many bytes.</param>
    public async Task LoseAnswerAsync(string verb, int least = 0)
    {
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        OnAnswer = call => call.Verb != verb || call.AnswerBytes < least || !lost.TrySetResult();
        try
        {
            await lost.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException)
        {
            Assert.Fail($"nobody called {verb}");
        }
        finally
        {
            OnAnswer = null;
        }
    }

    /// <summary>Breaks every connection with a reset.</summary>
    public void Cut()
    {
        foreach (var connection in _connections.Keys)
            connection.Break();
    }

    /// <summary>Passes nothing on any more, and breaks nothing: the other side seems to be silent.</summary>
    public void Freeze() => _thawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends <see cref="Freeze"/>.</summary>
    public void Thaw() => _thawed.TrySetResult();

    public Task ThawedAsync(CancellationToken cancellationToken) => _thawed.Task.WaitAsync(cancellationToken);

    public void Saw(string verb) => _seen.AddOrUpdate(verb, 1, (_, n) => n + 1);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_connections.Values);
        _stop.Dispose();
    }

    private static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptSocketAsync(_stop.Token);
            var connection = new ProxyConnection(this, client);
            _connections[connection] = Task.Run(async () =>
            {
                await connection.RunAsync(_target, _stop.Token);
                _connections.TryRemove(connection, out _);
            });
        }
    }
}
