using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>
/// An LLM endpoint that is none: it speaks OpenAI's and Azure's HTTP, answers made-up text that depends only on request and seed, and can be slow,
/// limited and faulty. For tests, demonstrations and benchmarks. Runs in this process until it is disposed.
/// </summary>
public sealed class LlmSimulator : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly CallCounters _counters;
    private readonly RateWindows _windows;
    private readonly RequestLog? _log;
    private readonly bool _marks;
    private readonly CallHandler _calls;
    private readonly ControlRoutes _control;
    private SimulatorServer? _server;

    private LlmSimulator(SimulatorOptions options, TimeProvider time)
    {
        var json = new JsonBody(options.Pretty);
        _counters = new CallCounters(options.CountJobs);
        _windows = new RateWindows(time, options.RequestsPerMinute, options.TokensPerMinute);
        _marks = options.Mark;
        _log = options.Record ? new RequestLog() : null;
        _calls = new CallHandler(options, time, _counters, _windows, _log, json, _stopping.Token);
        _control = new ControlRoutes(options, time, _calls, _counters, _windows, _log, json);
    }

    /// <summary>Where it listens: <c>http://127.0.0.1:PORT/</c>, or https. This is the endpoint of an Azure client; see <see cref="BaseUrl"/>.</summary>
    public Uri Address => _server!.Address;

    /// <summary>The base URL of an OpenAI client: <see cref="Address"/> with <c>v1</c>.</summary>
    public Uri BaseUrl => new(Address, "v1");

    /// <summary>With <see cref="SimulatorOptions.Https"/>: the certificate that clients are to trust, as PEM; else null.</summary>
    public string? CertificatePem => _server!.CertificatePem;

    /// <summary>The counts at this moment.</summary>
    public SimulatorStats Stats => _counters.Snapshot().With(_windows.Counts);

    /// <summary>The calls so far as they arrived; empty without <see cref="SimulatorOptions.Record"/>.</summary>
    public IReadOnlyList<RecordedRequest> Requests => _log?.All ?? [];

    /// <summary>Starts it. It listens when this returns.</summary>
    /// <param name="options">How it behaves; must not be changed afterwards.</param>
    /// <param name="cancellationToken">Gives up starting.</param>
    /// <exception cref="ArgumentException">An option is out of bounds.</exception>
    /// <exception cref="IOException">The port is taken, or the address is not this machine's.</exception>
    public static Task<LlmSimulator> StartAsync(SimulatorOptions options, CancellationToken cancellationToken = default) =>
        StartAsync(options, TimeProvider.System, cancellationToken);

    /// <summary>Starts it on a clock of its own, for latencies, windows and time stamps.</summary>
    /// <inheritdoc cref="StartAsync(SimulatorOptions, CancellationToken)"/>
    public static async Task<LlmSimulator> StartAsync(SimulatorOptions options, TimeProvider timeProvider, CancellationToken cancellationToken = default)
    {
        options.Validate();
        var simulator = new LlmSimulator(options, timeProvider);
        simulator._server = await SimulatorServer.StartAsync(options.Host, options.Port, options.Https, simulator.HandleAsync, cancellationToken);
        return simulator;
    }

    /// <summary>New limits a minute from now on; null for none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A limit is below 1.</exception>
    public void SetLimits(long? requestsPerMinute, long? tokensPerMinute)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(requestsPerMinute ?? 1, 1, nameof(requestsPerMinute));
        ArgumentOutOfRangeException.ThrowIfLessThan(tokensPerMinute ?? 1, 1, nameof(tokensPerMinute));
        _windows.SetLimits(requestsPerMinute, tokensPerMinute);
    }

    /// <summary>Counts from zero again and forgets the recorded calls; the windows stay as full as they are.</summary>
    public void ResetStats()
    {
        _counters.Reset();
        _windows.ResetCounts();
        _log?.Clear();
    }

    /// <summary>
    /// The row of the dialect table that a prompt draws, whether or not its conditions let a call meet it; null for none.
    /// </summary>
    /// <param name="promptHash">The first 16 hexadecimal digits, in lower case, of the SHA-256 of the last user message, or of the
    /// prompt.</param>
    internal string? DialectOf(string promptHash) => _calls.DialectOf(promptHash);

    /// <summary>Stops within a second: hanging calls are cut off at once, running ones get half a second.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_server is not null)
            await _server.DisposeAsync();
    }

    private Task HandleAsync(HttpContext context)
    {
        if (_marks)
            context.Response.Headers["x-llmpipeline-simulated"] = "1";
        return HttpMethods.IsPost(context.Request.Method) && CallRoute.Of(context.Request.Path.Value ?? "") is { } route
            ? _calls.HandleAsync(context, route)
            : _control.HandleAsync(context);
    }
}
