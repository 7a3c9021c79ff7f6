using System.Net;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace LlmPipeline;

/// <summary>
/// Leaves an endpoint alone while it is down, so that rows don't spend their attempts on it, and bounds how long one call may take.
/// It opens when seven tenths of at least 30 calls within 10 s ended without an answer or with a 5xx: an endpoint that merely fails every
/// fifth call never looks like that. It stays open for 1, 2, 4 … 30 s, and then lets one call through to see.
/// </summary>
internal sealed partial class Circuit
{
    private const double OpeningRatio = 0.7;
    private const int FewestCalls = 30;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(30);

    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _deployment;
    private long _halfOpens;

    public Circuit(string deployment, TimeProvider timeProvider, ILogger logger)
    {
        _deployment = deployment;
        _time = timeProvider;
        _logger = logger;
        _pipeline = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = timeProvider }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<HttpResponseMessage>
            {
                FailureRatio = OpeningRatio,
                MinimumThroughput = FewestCalls,
                SamplingDuration = Window,
                StateProvider = _state,
                ShouldHandle = static args => ValueTask.FromResult(IsDown(args.Outcome)),
                BreakDurationGenerator = static args => ValueTask.FromResult(BreakAfter(args.HalfOpenAttempts)),
                OnOpened = args =>
                {
                    Volatile.Write(ref _halfOpens, _time.GetTimestamp() + (long)(args.BreakDuration.TotalSeconds * _time.TimestampFrequency));
                    LogOpened(_deployment, args.BreakDuration);
                    return default;
                },
                OnClosed = _ =>
                {
                    LogClosed(_deployment);
                    return default;
                },
            })
            .AddTimeout(new TimeoutStrategyOptions { TimeoutGenerator = static _ => ValueTask.FromResult(CallContext.Current.AttemptTimeout) })
            .Build();
    }

    /// <summary>Whether calls go through as usual.</summary>
    public bool IsClosed => _state.CircuitState == CircuitState.Closed;

    /// <summary>How long until it is worth trying; zero when it is closed or may be probed.</summary>
    public TimeSpan OpenFor =>
        _state.CircuitState == CircuitState.Open && Volatile.Read(ref _halfOpens) is var opens && opens > _time.GetTimestamp()
            ? _time.GetElapsedTime(_time.GetTimestamp(), opens)
            : TimeSpan.Zero;

    /// <exception cref="BrokenCircuitException">The circuit is open: nothing was sent.</exception>
    /// <exception cref="TimeoutRejectedException">The call took longer than its <see cref="CallContext"/> allows.</exception>
    public ValueTask<HttpResponseMessage> ExecuteAsync<TState>(
        Func<TState, CancellationToken, ValueTask<HttpResponseMessage>> call, TState state, CancellationToken cancellationToken) =>
        _pipeline.ExecuteAsync(call, state, cancellationToken);

    internal static TimeSpan BreakAfter(int halfOpenAttempts) =>
        TimeSpan.FromSeconds(Math.Min(Math.Pow(2, halfOpenAttempts), LongestBreak.TotalSeconds));

    private static bool IsDown(Outcome<HttpResponseMessage> outcome) => outcome switch
    {
        { Exception: HttpRequestException or IOException or TimeoutRejectedException or OperationCanceledException { InnerException: TimeoutException } } => true,
        { Result.Content: AnswerContent { IsDown: true } } => true,
        // With Retry-After it is busy, not down: the gate deals with that.
        { Result: { StatusCode: >= HttpStatusCode.InternalServerError } response } => response.Headers.RetryAfter is null,
        _ => false,
    };

    [LoggerMessage(LogLevel.Warning, "Deployment {Deployment} keeps failing and is left alone for {BreakDuration}")]
    private partial void LogOpened(string deployment, TimeSpan breakDuration);

    [LoggerMessage(LogLevel.Information, "Deployment {Deployment} answers again")]
    private partial void LogClosed(string deployment);
}
