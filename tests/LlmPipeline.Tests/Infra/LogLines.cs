using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>A logger that keeps its lines.</summary>
internal class LogLines : ILogger
{
    public ConcurrentQueue<string> All { get; } = [];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        All.Enqueue(formatter(state, exception));
}

/// <inheritdoc/>
internal sealed class LogLines<T> : LogLines, ILogger<T>;
