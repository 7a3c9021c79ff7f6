using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline;

/// <summary>
/// Where Garnet logs to: the caller's logger, or nowhere. It keeps the first error, since Garnet's exceptions only say that the log tells more.
/// Garnet disposes the factory that it is given, so the caller's own is never handed over.
/// </summary>
internal sealed class GarnetLog(ILogger? target) : ILoggerFactory, ILogger
{
    private readonly ILogger _target = target ?? NullLogger.Instance;
    private string? _firstError;

    /// <summary>The first error that was logged, on one line; null when there was none.</summary>
    public string? FirstError => Volatile.Read(ref _firstError);

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("Garnet's log goes to one logger");

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => _target.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error || _target.IsEnabled(logLevel);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel >= LogLevel.Error)
            Interlocked.CompareExchange(ref _firstError, formatter(state, exception).ReplaceLineEndings(" "), null);
        if (_target.IsEnabled(logLevel))
            _target.Log(logLevel, eventId, state, exception, formatter);
    }

    public void Dispose()
    {
    }
}
